"""Text that looks like a secret: refused wherever people type, because chat keeps what it is given. Pure, linear.

`looks_secret` names the kind and never the text. Better one harmless text refused than one password in a channel; but
hashes, UUIDs and ordinary SQL are not secrets.
"""

from __future__ import annotations

import re

_KNOWN: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a private key", re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{16,}")),
    ("a Slack token", re.compile(r"\b(?:xox[abeprs]|xapp)-[A-Za-z0-9-]{10,}")),
    ("a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{30,}")),
    ("a Stripe key", re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}")),
    ("an API key", re.compile(r"\bsk-(?:[a-z]{2,8}-)?[A-Za-z0-9_-]{20,}|\bhf_[A-Za-z0-9]{20,}|\bnpm_[A-Za-z0-9]{30,}")),
    ("a SendGrid key", re.compile(r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}")),
    ("a PyPI token", re.compile(r"\bpypi-[A-Za-z0-9_-]{16,}")),
    ("a hoop token", re.compile(r"\bhoop_[A-Za-z0-9_-]{16,}")),
    ("a signed web token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")),
    (
        "a URL with a password",
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@?#]{0,100}:[^\s/@]{1,200}@", re.IGNORECASE),
    ),
    (
        "a password",
        re.compile(
            r"\bpassword\s{1,8}(?:=\s{0,8})?E?'(?=[^'\s])[^']{1,200}'|\bidentified\s{1,8}by\s{1,8}'[^']", re.IGNORECASE
        ),
    ),
)
_NAMED = re.compile(
    r"\b(?:pgpassword|password|passwd|passphrase|pwd|secret|client_secret|api[_-]?key|access[_-]?key|auth[_-]?token"
    r"|access[_-]?token|secret_access_key|aws_secret_access_key)\s{0,4}[:=]\s{0,4}[\"'“‘]?([^\s\"'”’,;)]{6,200})",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"\b(?:password|passwd|passphrase|pwd|secret|credentials?|pin|api[ _-]?key|access[ _-]?key|token)"
    r"(?:\s{1,4}(?:for|of|on)\s{1,4}[^\s]{1,60})?\s{1,4}(?:is|was|=>)\s{0,4}[:=]?\s{0,4}"
    r"[\"'“‘`]?([^\s\"'”’`,;)]{6,200})",
    re.IGNORECASE,
)
"""A secret told in a sentence: “my password is …”. A word of letters alone is taken for the rest of the sentence."""
_FLAG = re.compile(r"(?:--|[—–])(?:password|passwd|secret|api-?key)[ =]\s{0,4}[^\s]", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\A(?:[$:%?<{*]|env:|file:|cmd:)|\(")


def looks_secret(text: str) -> str | None:
    """What kind of secret `text` seems to hold (`a private key`), or None."""
    for kind, pattern in _KNOWN:
        if pattern.search(text):
            return kind
    if _FLAG.search(text):
        return "a password"
    if any(_valued(match[1], "_.") for match in _NAMED.finditer(text)):
        return "a password or key"
    if any(_valued(match[1], "_.!?-") for match in _TOLD.finditer(text)):
        return "a password or key"
    return None


def _valued(value: str, joints: str) -> bool:
    """Whether `value` is more than a placeholder or plain words (letters, joined by some of `joints`)."""
    return not _PLACEHOLDER.search(value) and not value.translate({ord(one): None for one in joints}).isalpha()


ADVICE = "Delete the message and rotate it: chat keeps what it was given."
