"""One parser for what people type to the bot and on the command line. Pure, linear, never raises.

    command  = verb [object] {argument} {flag}
    flag     = "--" name ["=" value | SP value]      curly quotes count as quotes, an em dash as "--"
    duration = 1*DIGIT ("m" | "h" | "d")             30m, 2h, 1h30m; also "until 17:00", "until fri"
    id       = access.ids                            req_…, grt_…, ses_…

`exec RESOURCE -- COMMAND` takes everything after the first lone `--` verbatim, except one separating blank and back
quotes or a code fence that wrap the whole command.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from bot.grammar_asking import MAX_NAME, exec_, request
from bot.grammar_guarding import GUARDING
from bot.grammar_naming import ALONE, ID_KINDS, about_id, about_resource, about_target, agent, bare, pending, why
from bot.grammar_proposing import PROPOSING
from bot.grammar_ssh import key, login, ssh_config
from bot.intents import Help, Mistake, Parsed, Settings, Verb
from bot.leaks import ADVICE, looks_secret
from bot.lines import Wrong, cut_line
from bot.quiet import TIMED, check_time
from bot.runline import parse_run, parse_runbooks
from bot.usage import EXAMPLES, SYNONYMS, VERBS
from bot.visible import cut, visible_line
from bot.words import Word, first_word

MAX_TEXT = 40_000
_ADDRESSED = ("/hoop", "@hoop", "hoop")


def parse(text: str) -> Parsed:
    """What `text` means. An empty text asks for help."""
    if len(text) > MAX_TEXT:
        return Mistake(f"That is {len(text):,} characters; at most {MAX_TEXT:,} are read.")
    kind = looks_secret(text)
    if kind is not None:
        return Mistake(f"That looks like {kind}, so nothing was done. {ADVICE}", secret=True)
    start, word = _verb_word(text)
    if word is None:
        return Help()
    verb = VERBS.get(word.text.lower())
    if verb is None:
        return _unknown(word.text)
    try:
        return _PARSERS[verb](verb, text[start:])
    except Wrong as wrong:
        return Mistake(wrong.message, verb, EXAMPLES[verb])


def _verb_word(text: str) -> tuple[int, Word | None]:
    word = first_word(text)
    if word is not None and word.text.lower() in _ADDRESSED:
        word = first_word(text, word.end)
    return (word.end, word) if word else (len(text), None)


def _unknown(word: str) -> Mistake:
    nearest = nearest_verb(word)
    said = f"I do not know “{visible_line(cut(word, 30))}”."
    if nearest is None:
        return Mistake(f"{said} Try help.", Verb.HELP, EXAMPLES[Verb.HELP])
    return Mistake(f"{said} Did you mean {nearest.value}?", nearest, EXAMPLES[nearest])


def nearest_verb(word: str) -> Verb | None:
    """The verb somebody may have meant, or None."""
    lower = word.lower()[:MAX_NAME]
    if lower in SYNONYMS:
        return SYNONYMS[lower]
    found = difflib.get_close_matches(lower, [verb.value for verb in Verb], n=1, cutoff=0.55)
    return Verb(found[0]) if found else None


def _help(verb: Verb, rest: str) -> Parsed:
    words = cut_line(verb, rest).words
    if not words:
        return Help()
    named = words[0].text
    return Help(VERBS.get(named.lower()) or nearest_verb(named))


def _settings(verb: Verb, rest: str) -> Parsed:
    texts = [word.text for word in cut_line(verb, rest).words]
    words = [word.lower() for word in texts]
    if not words:
        return Settings()
    if words[0] in TIMED and len(words) in {2, 3}:
        value = "" if words[1] == "off" else " ".join((words[1], *texts[2:]))
        return Settings(words[0], bool(value), check_time(words[0], value) if value else "")
    if len(words) != 2 or words[0] not in {"waiting", "expiring"} or words[1] not in {"on", "off"}:
        raise Wrong("It is: settings waiting off, settings quiet 22:00-07:00, or settings digest 09:00.")
    return Settings(words[0], words[1] == "on")


_PARSERS: dict[Verb, Callable[[Verb, str], Parsed]] = {
    Verb.REQUEST: request,
    Verb.EXEC: exec_,
    Verb.RUN: parse_run,
    Verb.RUNBOOKS: parse_runbooks,
    Verb.AGENT: agent,
    Verb.KEY: key,
    Verb.SSH_CONFIG: ssh_config,
    Verb.LOGIN: login,
    Verb.WHY: why,
    Verb.SETTINGS: _settings,
    Verb.PENDING: pending,
    Verb.HELP: _help,
    Verb.EXTEND: about_target,
    Verb.DONE: about_target,
    Verb.SESSIONS: about_resource,
    Verb.TOKEN: about_resource,
    Verb.WHO: about_resource,
    **GUARDING,
    **PROPOSING,
    **dict.fromkeys(ALONE, bare),
    **dict.fromkeys(ID_KINDS, about_id),
}
