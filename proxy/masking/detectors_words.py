"""Detectors for what is not only digits: e-mail, IBAN, lettered ids, IP and MAC addresses, secrets, URLs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from proxy.masking import checksums
from proxy.masking.context import Context
from proxy.masking.detectors_numbers import Span

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}([^\W\d_][\w-]{1,62})")
_LEADING = "'`*/=?{|}!#$%&^~.-"
#: `icon@2x.png` is a file.
FILE_ENDINGS = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "webp",
        "svg",
        "css",
        "js",
        "ts",
        "map",
        "html",
        "php",
        "pdf",
        "ico",
        "mp4",
        "mp3",
        "woff",
        "woff2",
        "ttf",
    ]
)

_IBAN = re.compile(r"(?<![A-Za-z0-9])(?<!\w-)[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{1,4}){3,9}")
_LETTERED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?P<es_dni>\d{8}-?[A-Za-z]|[XYZxyz]-?\d{7}-?[A-Za-z])"
    r"|(?P<it_codice_fiscale>[A-Za-z]{6}[0-9L-Vl-v]{2}[A-Za-z][0-9L-Vl-v]{2}[A-Za-z][0-9L-Vl-v]{3}[A-Za-z])"
    r"|(?P<fr_nir>[1-8] ?\d{2} ?\d{2} ?2[ABab] ?\d{3} ?\d{3} ?\d{2}))(?![A-Za-z0-9])"
)
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:\.\d{1,3}){0,3}(?![\w:])")
_VERSION_BEFORE = re.compile(
    r"(?:v|ver|version|release|build|rev|chrome/|firefox/|safari/|[a-z]/)[\s:=.]{0,3}$", re.IGNORECASE
)
_MAC = re.compile(r"(?<![0-9A-Fa-f:.-])(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:-])")
_CISCO_MAC = re.compile(r"(?<![\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])", re.IGNORECASE)

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{1,20}://([^\s/:@'\"<>]{0,128}:[^\s/@'\"<>]{1,256})@")

_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:.*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|.*)",
    re.DOTALL,
)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?")
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{22,255}|glpat-[\w-]{20,64}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,250}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,250}|AIza[\w-]{35}|ya29\.[\w-]{20,500}"
    r"|sk-[A-Za-z0-9_-]{20,250}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,500}|SG\.[\w-]{16,64}\.[\w-]{16,64}|dop_v1_[a-f0-9]{64}"
    r"|hvs\.[\w-]{20,200}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})"
)
_HASHES = re.compile(
    r"\$(?:2[abxy]?\$\d{2}\$[./A-Za-z0-9]{53}|[156]\$(?:rounds=\d{1,9}\$)?[^\s$]{1,32}\$[./A-Za-z0-9]{20,86}"
    r"|y\$[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}"
    r"|argon2(?:id|i|d)\$v=\d{1,3}\$[\w=,]{1,64}\$[\w+/]{8,128}\$[\w+/]{16,128})"
    r"|SCRAM-SHA-(?:1|256)\$\d{1,9}:[\w+/=]{8,128}\$[\w+/=:]{16,256}"
)
_ASSIGNED = re.compile(
    r"(?<![A-Za-z])(?:pass(?:word|wd|phrase)?|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|token|client[_-]?secret"
    r"|authorization)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:(?:bearer|basic)\s{1,3})?([^\s\"',;&}]{3,512})",
    re.IGNORECASE,
)
_BIRTH = re.compile(
    r"(?<![A-Za-z])(?:d\.?o\.?b\.?|b-?day|birth ?da(?:y|te)|date of birth|born(?: on)?|geb(?:oren|\.)(?: am)?|geburts(?:datum|tag)"
    r"|n[ée]e? le|date de naissance|fecha de nacimiento|nacid[oa] el|data di nascita|nat[oa] il|data de nascimento)"
    r"[\s:=(\"']{1,4}((?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:[0-2]?\d|3[01])"
    r"|(?:[0-2]?\d|3[01])[-/.](?:[0-2]?\d|3[01])[-/.](?:(?:19|20)\d{2}|\d{2})"
    r"|(?:[0-2]?\d|3[01])(?:st|nd|rd|th|\.)? [^\W\d_]{3,9}\.?,? (?:19|20)\d{2}|[^\W\d_]{3,9}\.? (?:[0-2]?\d|3[01])(?:st|nd|rd|th)?,? (?:19|20)\d{2})"
    r"(?!\d)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?<![A-Za-z])(?:bearer|basic)\s{1,3}([A-Za-z0-9+/._~-]{12,2048}={0,2})", re.IGNORECASE)


def _email(text: str, _context: Context) -> Iterator[Span]:
    # `://user:word@host.name`: the password and the host are no address.
    passwords = [match.span(1) for match in _URL.finditer(text)] if "://" in text else []
    for match in _EMAIL.finditer(text):
        local = match[0].partition("@")[0]
        start = match.start() + len(local) - len(local.lstrip(_LEADING))
        if any(begin <= start < end for begin, end in passwords):
            continue
        if match[1].lower() not in FILE_ENDINGS and text[start] != "@":
            yield Span(start, match.end(), "email")


def _iban(text: str, _context: Context) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        end = _iban_end(match[0])
        if end:
            yield Span(match.start(), match.start() + end, "iban")


def _iban_end(text: str) -> int:
    """Where the IBAN at the start of `text` ends: words behind it may look like more groups. 0 = there is none."""
    length = checksums.IBAN_LENGTHS.get(text[:2].upper(), 0)
    seen = ""
    for index, char in enumerate(text):
        if char != " ":
            seen += char
        if length and len(seen) == length:
            following = text[index + 1 : index + 2]
            return index + 1 if not following.isalnum() and checksums.iban(seen.upper()) else 0
    return 0


_LETTERED_CHECKS: dict[str, Callable[[str], bool]] = {
    "es_dni": checksums.es_dni,
    "it_codice_fiscale": checksums.it_codice_fiscale,
    "fr_nir": checksums.fr_nir,
}


def _lettered(text: str, _context: Context) -> Iterator[Span]:
    for match in _LETTERED.finditer(text):
        entity = match.lastgroup or ""
        if _LETTERED_CHECKS[entity](re.sub(r"[ -]", "", match[0])):
            yield Span(match.start(), match.end(), entity)


def _ip(text: str, context: Context) -> Iterator[Span]:
    candidates = [*_IPV4.finditer(text)] if text.count(".") >= 3 else []
    if text.count(":") >= 2:
        candidates += _IPV6.finditer(text)
    for match in candidates:
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        short = match[0].count(":") and len(match[0]) < 6
        version = _VERSION_BEFORE.search(text[max(0, match.start() - 12) : match.start()])
        if not address.is_unspecified and not short and not version and ("ip" in context.hints or not context.neutral):
            yield Span(match.start(), match.end(), "ip")


def _mac(text: str, _context: Context) -> Iterator[Span]:
    for pattern in (_MAC, _CISCO_MAC):
        for match in pattern.finditer(text):
            yield Span(match.start(), match.end(), "mac")


def _url_credentials(text: str, _context: Context) -> Iterator[Span]:
    for match in _URL.finditer(text):
        yield Span(match.start(1), match.end(1), "url_credentials")


def _token(text: str, _context: Context) -> Iterator[Span]:
    patterns = [_TOKENS]
    if "eyJ" in text:
        patterns.append(_JWT)
    if "$" in text:
        patterns.append(_HASHES)
    for pattern in patterns:
        for match in pattern.finditer(text):
            yield Span(match.start(), match.end(), "secret")


def _pem(text: str, _context: Context) -> Iterator[Span]:
    for match in _PEM.finditer(text):
        yield Span(match.start(), match.end(), "secret")


def _assigned(text: str, _context: Context) -> Iterator[Span]:
    for match in _ASSIGNED.finditer(text):
        yield Span(match.start(1), match.end(1), "secret")


def _bearer(text: str, _context: Context) -> Iterator[Span]:
    for match in _BEARER.finditer(text):
        yield Span(match.start(1), match.end(1), "secret")


def _birth_date(text: str, _context: Context) -> Iterator[Span]:
    """A date behind words that say it is one of birth."""
    for match in _BIRTH.finditer(text):
        yield Span(match.start(1), match.end(1), "birth_date")


Find = Callable[[str, Context], Iterator[Span]]
Sign = Callable[[str], object]


class Finder(NamedTuple):
    """One search: the entities it can find, and a cheap sign without which it need not look."""

    entities: frozenset[str]
    sign: Sign
    find: Find

    @property
    def name(self) -> str:
        return "/".join(sorted(self.entities))


def _has(*needles: str) -> Sign:
    if len(needles) == 1:
        return lambda text, needle=needles[0]: needle in text  # type: ignore[misc]
    return lambda text: any(needle in text for needle in needles)


def _assigns_a_secret(text: str) -> bool:
    if "=" not in text and ":" not in text:
        return False
    lower = text.lower()
    return any(word in lower for word in ("pass", "token", "secret", "pwd", "key", "authorization"))


def _names_a_scheme(text: str) -> bool:
    lower = text.lower()
    return "bearer" in lower or "basic" in lower


_SECRET = frozenset({"secret"})
_FINDERS = (
    Finder(frozenset({"email"}), _has("@"), _email),
    Finder(frozenset({"url_credentials"}), _has("://"), _url_credentials),
    Finder(_SECRET, _has("-----BEGIN"), _pem),
    Finder(_SECRET, re.compile(r"[A-Za-z0-9_$+/-]{16}").search, _token),
    Finder(_SECRET, _assigns_a_secret, _assigned),
    Finder(_SECRET, _names_a_scheme, _bearer),
    Finder(
        frozenset({"birth_date"}),
        re.compile(
            r"d\.?o\.?b|born|birth|b-?day|geb|n[ée]e? le|naiss|na[ct]i|nascim|nat[oa] il|nascita", re.IGNORECASE
        ).search,
        _birth_date,
    ),
    Finder(frozenset({"iban"}), re.compile(r"[A-Za-z]{2}\d{2}").search, _iban),
    Finder(frozenset({"es_dni", "it_codice_fiscale", "fr_nir"}), re.compile(r"\d[ -]?[A-Za-z]").search, _lettered),
    Finder(frozenset({"ip"}), lambda text: text.count(".") >= 3 or text.count(":") >= 2, _ip),
    Finder(frozenset({"mac"}), lambda text: text.count(":") >= 5 or text.count("-") >= 5 or text.count(".") >= 2, _mac),
)
ENTITIES = frozenset(entity for finder in _FINDERS for entity in finder.entities)

#: A text with none of these can hold nothing that is found here or among the numbers.
SIGNS = re.compile(r"[0-9@:=_]|A[KS]IA")


def finders(wanted: Collection[str]) -> tuple[Finder, ...]:
    """The finders that can find one of the wanted entities."""
    return tuple(finder for finder in _FINDERS if not finder.entities.isdisjoint(wanted))
