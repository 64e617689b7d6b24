"""How the verbs about SSH are spelled. Pure; raises `Wrong` only."""

from __future__ import annotations

from access.ssh_certificates import is_certificate
from bot.intents import Parsed, Verb
from bot.intents_ssh import Key, KeyDo, Login, SshConfig
from bot.lines import Wrong, cut_line

_FORM = "It is: key add ssh-ed25519 AAAA…  ·  key confirm SHA256:…  ·  key remove SHA256:… or cert:…  ·  key"


def key(verb: Verb, rest: str) -> Parsed:
    """`key`, `key list`, `key add LINE`, `key confirm FINGERPRINT`, `key remove FINGERPRINT`,
    `key remove cert:NUMBER`, `key remove certificates`."""
    words = [word.text for word in cut_line(verb, rest).words]
    if not words:
        return Key(KeyDo.LIST)
    what, more = words[0].lower(), words[1:]
    if what not in set(KeyDo) or bool(more) is (what == KeyDo.LIST):
        raise Wrong(_FORM)
    if what in {KeyDo.CONFIRM, KeyDo.REMOVE}:
        named = len(more) == 1 and (more[0].startswith("SHA256:") or (what == KeyDo.REMOVE and is_certificate(more[0])))
        if not named:
            raise Wrong(_FORM)
    return Key(KeyDo(what), " ".join(more))


def login(verb: Verb, rest: str) -> Parsed:
    """`login 407213`; people also type it in two halves."""
    number = "".join(word.text for word in cut_line(verb, rest).words)
    if len(number) != 6 or not (number.isascii() and number.isdecimal()):
        raise Wrong("It is: login NUMBER, with the six digits that your terminal shows.")
    return Login(number)


def ssh_config(verb: Verb, rest: str) -> Parsed:
    if cut_line(verb, rest).words:
        raise Wrong("ssh-config stands alone.")
    return SshConfig()
