"""How a value is replaced. Every replacement carries a mark, so that a mask written back can be recognised.

The marks:

- `«masked»` (redact), `«email:k3f9x2q7»` (pseudonym), `«hash:9f86d081e1»` (hash): guillemets around a known form;
- shapes are recognised by their stars: four after a first character or in a row of groups (`j****@*****.com`,
  `A**** L****`, `****-****-****-1111`), or the fixed patterns of phone, SSN and IP (`+49 *** ***89`, `***-**-4399`,
  `203.***.***.***`). The number of stars never depends on the value, so its length does not show.

No mark contains a character that arrays, composites, hstore, json, xml or csv would have to quote.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from access.masking import Strategy

REDACTED = "«masked»"

#: Entities of which no part may be shown: their shape would be half of the secret.
SHAPELESS = frozenset({"secret", "birth_date", "mrn", "address"})

_LOOKS_MASKED = re.compile(
    r"«(?:masked|hash:[0-9a-f]{10}|[a-z_]{1,24}:[a-z2-7]{8})»"
    r"|\*{4}@\*{5}"
    # A word of ours stands by itself, begins with a capital, or has another beside it; `what the f****` is somebody's text.
    r"|\w\*{4} \w\*{4}(?!\w)"
    r"|[^\W\da-z_]\*{4}(?!\w)"
    r"|(?:\A|[\t\r\n,;|\"'({>\[:$=])\s?\w\*{4}(?=\s?(?:\Z|[\t\r\n,;|\"')}<\]\\$]))"
    r"|\*{4}[- ]\*{4}"
    r"|://\*{4}:\*{4}@"
    r"|\*{3} \*{3}\d{2}"
    r"|\*{3}-\*{2}-\d{4}"
    r"|\d{1,3}(?:\.\*{3}){3}"
)
_WORD = re.compile(r"\w[\w'’-]*")
_COMPACT_IBAN = re.compile(r"[A-Za-z]{2}\w{13,32}")
_NON_DIGITS = re.compile(r"\D+")
_COUNTRY_CODE = re.compile(r"\s*(?:\+|00)\s*(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})")


def looks_masked(text: str) -> bool:
    """Whether the text contains one of our masks: a write that carries one would destroy the real value."""
    return ("*" in text or "«" in text) and _LOOKS_MASKED.search(text) is not None


def mask(value: str, entity: str, strategy: Strategy, key: bytes) -> str | None:
    """The replacement for a whole value; None = SQL NULL. `key` is the session's (hash, pseudonym)."""
    if strategy is Strategy.KEEP:
        return value
    if strategy is Strategy.NULL:
        return None
    if strategy is Strategy.HASH:
        return f"«hash:{_digest(value, key).hex()[:10]}»"
    if strategy is Strategy.PSEUDONYM:
        return f"«{_label(entity)}:{_base32(_digest(value.strip().casefold(), key))}»"
    if strategy is Strategy.SHAPE:
        return shape(value, entity)
    return REDACTED


def mask_part(value: str, entity: str, strategy: Strategy, key: bytes) -> str:
    """The replacement for a part of a longer text, where NULL has no meaning."""
    masked = mask(value, entity, strategy, key)
    return REDACTED if masked is None else masked


def shape(value: str, entity: str) -> str:
    """A mask that keeps the form people recognise and none of the value beyond it."""
    if entity in SHAPELESS:
        return REDACTED
    maker = _SHAPES.get(entity)
    if maker is not None:
        return maker(value) or REDACTED
    return _words(value) or REDACTED


def _digest(value: str, key: bytes) -> bytes:
    return hmac.new(key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def _base32(digest: bytes) -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    number = int.from_bytes(digest[:5])
    return "".join(alphabet[(number >> shift) & 31] for shift in range(35, -1, -5))


def _label(entity: str) -> str:
    label = re.sub(r"[^a-z_]", "_", entity.lower())[:24]
    return label or "value"


def _email(value: str) -> str:
    local, at, domain = value.strip().rpartition("@")
    if not at or not local:
        return ""
    dot = domain.rpartition(".")
    top = dot[2] if dot[1] and dot[2].isascii() and dot[2].isalpha() and 2 <= len(dot[2]) <= 24 else ""
    first = local[0] if local[0].isalnum() and len(local) > 2 else ""
    return f"{first}****@*****" + (f".{top}" if top else "")


def _digits(value: str) -> str:
    return _NON_DIGITS.sub("", value)


def _card(value: str) -> str:
    digits = _digits(value)
    return f"****-****-****-{digits[-4:]}" if len(digits) >= 12 else ""


def _phone(value: str) -> str:
    digits = _digits(value)
    if len(digits) < 6:
        return ""
    code = _COUNTRY_CODE.match(value)
    return (f"+{code[1]} " if code else "") + f"*** ***{digits[-2:]}"


def _ssn(value: str) -> str:
    digits = _digits(value)
    return f"***-**-{digits[-4:]}" if len(digits) == 9 else ""


def _iban(value: str) -> str:
    compact = "".join(value.split())
    return f"{compact[:2].upper()}** **** **** {compact[-4:]}" if _COMPACT_IBAN.fullmatch(compact) else ""


def _ip(value: str) -> str:
    first = value.strip().partition(".")
    return f"{first[0]}.***.***.***" if first[1] and first[0].isdigit() and len(first[0]) <= 3 else ""


def _words(value: str) -> str:
    """`Ada Lovelace` → `A**** L****`; at most three words, so that long texts do not keep their rhythm."""
    words = _WORD.findall(value[:200])
    return " ".join(f"{word[0]}****" for word in words[:3] if not word[0].isdigit()) if len(words) <= 4 else ""


def _url_credentials(_value: str) -> str:
    return "****:****"


_SHAPES = {
    "email": _email,
    "card": _card,
    "phone": _phone,
    "ssn": _ssn,
    "iban": _iban,
    "ip": _ip,
    "url_credentials": _url_credentials,
}
