"""Train the name model on generated data and write `proxy/masking/names_weights.py`: python -m tools.train_names

Deterministic: the same data, seed and Python give the same file. Takes about a minute, needs nothing but the project.
"""

from __future__ import annotations

import base64
import math
import random
import zlib
from pathlib import Path

from proxy.masking.names import BUCKETS, CLASSES, features, probabilities
from tools import names_data as data

SEED, EACH, EPOCHS, RATE, DECAY = 7, 7000, 6, 0.5, 1e-5
#: The share of a value's features that one step of training looks at: no single word may carry a decision.
SEEN = 0.7
OUT = Path(__file__).parents[1] / "proxy/masking/names_weights.py"


def person(rng: random.Random) -> str:
    place = rng.choice(list(data.FIRST))
    first, last = (rng.choice(words[place].split()) for words in (data.FIRST, data.LAST))
    if rng.random() < 0.15:
        last = rng.choice(data.LAST[rng.choice(list(data.LAST))].split())
    if rng.random() < 0.1:
        last = f"{rng.choice(['van', 'de', 'von', 'van der', 'di', 'al', 'bin', 'da'])} {last}"
    other = rng.choice(data.LAST[place].split())
    middle = rng.choice("ABCDEFGHJKLMPRSTW")
    form = rng.choice([
        "{f} {l}", "{f} {l}", "{f} {l}", "{l}, {f}", "{f} {m}. {l}", "{f} {l}-{o}", "{f} {l} {o}", "Dr. {f} {l}", "{f}",
        "{l}", "Mrs {l}", "{f} {l} Jr.",
    ])  # fmt: skip
    return _cased(form.format(f=first, l=last, m=middle, o=other), rng)


def address(rng: random.Random) -> str:
    names = [*data.STREET_WORDS.split(), *data.LAST[rng.choice(list(data.LAST))].split()]
    kind = _invented(rng)
    invented = f"{{w}} {kind} {{n}}|{kind} {{w}} {{n}}|{kind}. {{w}} {{n}}/{{m}}|{{w}}{kind.lower()} {{n}}|{{w}} {kind.lower()} {{n}}."
    forms = data.STREETS if rng.random() < 0.6 else invented
    text = rng.choice(forms.split("|")).format(
        w=rng.choice(names), n=rng.randint(1, rng.choice([30, 300, 9999])), m=rng.randint(1, 40)
    )
    extra = rng.random()
    if extra < 0.4:
        code = rng.choice([f"{rng.randint(10000, 99999)}", f"SW{rng.randint(1, 9)} {rng.randint(1, 9)}AB", ""])
        text += f", {code} {rng.choice(data.CITIES.split())}".replace("  ", " ")
    return _cased(text, rng)


def organisation(rng: random.Random) -> str:
    place = rng.choice(list(data.LAST))
    last, other = (rng.choice(data.LAST[place].split()) for _ in range(2))
    return _cased(
        rng.choice(data.ORGANISATIONS.split("|")).format(
            l=last, k=other, s=_legal_form(rng), a=rng.choice(data.ORG_WORDS.split()),
            b=rng.choice(data.BUSINESS.split()), c=rng.choice(data.CITIES.split()),
        ),
        rng,
    )  # fmt: skip


def _invented(rng: random.Random) -> str:
    """A word of no language, for the words that other places have for streets."""
    syllables = (rng.choice("bcdfghjklmnprstvz") + rng.choice("aeiouáéöüâ") for _ in range(rng.randint(1, 3)))
    ending: str = rng.choice(["", *"klnrst"])
    return ("".join(syllables) + ending).capitalize()


def _legal_form(rng: random.Random) -> str:
    """A known one, or one made like those of other places: `Zrt.`, `d.o.o.`, `OÜ`."""
    if rng.random() < 0.6:
        return rng.choice(data.SUFFIXES.split("|"))
    letters = "".join(rng.choice("abdfghklmnoprstvyz") for _ in range(rng.randint(2, 3)))
    dotted = "".join(f"{one}." for one in letters)
    return rng.choice([letters.upper(), f"{letters.capitalize()}.", dotted])


def other(rng: random.Random) -> str:
    plain = data.PLAIN.split("|")
    form = rng.randrange(10)
    text = rng.choice(plain)
    if form == 0:
        text = f"{text} {rng.randint(1, 999)}"
    elif form == 1:
        text = f"{rng.choice(plain)}, {text}"
    elif form == 2:
        text = f"{rng.choice(['ORD', 'INV', 'SKU', 'REF', 'BUILD', 'v', '#', 'T-'])}{rng.choice(['-', ''])}{rng.randint(1, 10**6)}"
    elif form == 3:
        text = f"{rng.getrandbits(64):x}"
    elif form == 4:
        text = " ".join(rng.choice(plain).lower().split()[0] for _ in range(rng.randint(2, 5)))
    elif form == 5:
        text = rng.choice(data.CITIES.split())
    elif form in {6, 7}:
        words = [word for one in rng.sample(plain, 3) for word in one.split() if word.isalpha()]
        text = " ".join(rng.sample(words, min(len(words), rng.randint(1, 3)))).title()
    return _cased(text, rng)


def _cased(text: str, rng: random.Random) -> str:
    draw = rng.random()
    return text.upper() if draw < 0.06 else text.lower() if draw < 0.12 else text


def samples(seed: int, each: int) -> list[tuple[int, list[int]]]:
    """(class, features), shuffled."""
    rng = random.Random(seed)
    makers = (other, person, address, organisation)
    made = [(number, features(make(rng))) for number, make in enumerate(makers) for _ in range(each)]
    rng.shuffle(made)
    return made


def train(rows: list[tuple[int, list[int]]]) -> tuple[list[list[float]], list[float]]:
    """Weights by class and bucket, and a bias for each class, by stochastic gradient descent."""
    weights, bias = [[0.0] * BUCKETS for _ in CLASSES], [0.0] * len(CLASSES)
    rng = random.Random(SEED)
    for epoch in range(EPOCHS):
        rate = RATE / (1 + epoch)
        for label, every in rows:
            buckets = [bucket for bucket in every if rng.random() < SEEN] or every
            norm = 1 / math.sqrt(len(buckets))
            scores = [b + norm * sum(w[f] for f in buckets) for w, b in zip(weights, bias, strict=True)]
            for number, probability in enumerate(probabilities(scores)):
                step = rate * ((number == label) - probability)
                bias[number] += step * 0.1
                row = weights[number]
                for bucket in buckets:
                    row[bucket] += norm * step - DECAY * row[bucket]
    return weights, bias


def main() -> None:
    weights, bias = train(samples(SEED, EACH))
    scale = max(abs(one) for row in weights for one in row) / 127
    packed = bytes(round(one / scale) & 0xFF for row in weights for one in row)
    text = base64.b85encode(zlib.compress(packed, 9)).decode()
    lines = "\n".join(f'    "{text[at : at + 104]}",' for at in range(0, len(text), 104))
    OUT.write_text(
        '"""Made by `python -m tools.train_names`; see `names.py`. Not edited by hand."""\n\n'
        f"BIAS = ({', '.join(f'{one:.4f}' for one in bias)})\nSCALE = {scale:.8f}\nWEIGHTS = (\n{lines}\n)\n"
    )


if __name__ == "__main__":
    main()
