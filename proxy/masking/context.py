"""What the names around a value suggest: the column, its base columns and tables, keys inside json."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

#: entity → words in a column name (normalised: lower case, words joined by one underscore).
_HINTS: tuple[tuple[str, str], ...] = (
    ("email", r"e_?mails?|mail|email_addr(?:ess)?"),
    ("phone", (r"(?:(?:tele)?phones?|mobile|cell|fax|tel|handy)(?:_?(?:phone|number|no|nr))?|contact_(?:number|no)|msisdn"
              r"|telefono?|whatsapp")),
    ("card", r"cards?|card_?(?:number|no|num|nr)|pan|credit_?cards?|debit_?card|cc|cc_?(?:number|num|no)|kreditkarte"),
    ("iban", r"iban|bank_account|account_iban|konto"),
    ("ssn", r"ssn|social_security(?:_number|_no)?|social_sec|soc_sec(?:_no)?"),
    ("nhs", r"nhs|nhs_(?:number|no|id)"),
    ("de_tax_id", r"steuer_?(?:id|nummer|identifikationsnummer)|tax_id|tin|idnr|de_tax_id"),
    ("fr_nir", r"nir|insee|secu|securite_sociale|numero_secu"),
    ("es_dni", r"dni|nie|nif"),
    ("it_codice_fiscale", r"codice_?fiscale|cod_?fisc|fiscal_code"),
    ("br_cpf", r"cpf"),
    ("br_cnpj", r"cnpj"),
    ("in_aadhaar", r"aadhaar|aadhar|uidai"),
    ("pl_pesel", r"pesel"),
    ("national_id", r"national_(?:id|number|insurance)|nino|identity_(?:card|number)|id_card|passport(?:_(?:no|number))?"),
    ("ip", r"ip|ip_addr(?:ess)?|remote_addr|client_(?:ip|addr)|ipv[46]"),
    ("mac", r"mac|mac_addr(?:ess)?"),
    ("birth_date", r"birth_?days?|birth_?dates?|date_of_birth|dob|born(?:_on|_at)?|geburts(?:tag|datum)|date_naissance"),
    ("secret", (r"pass|passw(?:or)?d|pwd|passphrase|secrets?|api_?keys?|private_?key|access_?(?:token|key)|refresh_token"
               r"|auth_?token|token|password_?hash|passwd_hash|pin|cvv|cvc|otp|otp_secret|client_secret|credentials?")),
    ("mrn", r"mrn|medical_record(?:_(?:number|no|id))?|patient_(?:number|no|id|mrn)|chart_number"),
    ("person", (r"(?:first|last|middle|given|family|full|maiden|sur|fore)_?names?"
               r"|(?:customer|client|contact|person|patient|employee|user|holder|cardholder|recipient|sender|owner|author"
               r"|guest|student|teacher|doctor|manager|member|passenger)_(?:full_)?names?|fullname|vorname|nachname"
               r"|prenom|nom_de_famille|apellidos?|cognome|name_on_card")),
    ("address", (r"(?:street|postal|home|billing|shipping|mailing|delivery|residential)_?address(?:es)?(?:_?[12])?"
                r"|address(?:_?(?:line)?_?[123])?|addr|street|strasse|street_name|rue")),
)  # fmt: skip
_HINT_PATTERNS = tuple((entity, re.compile(rf"(?:^|_)(?:{words})(?:_\d)?(?:$|_(?:raw|text|str|value|enc|old|new)$)"))
                       for entity, words in _HINTS)  # fmt: skip

_PEOPLE = re.compile(
    r"(?:^|_)(?:customers?|clients?|users?|people|persons?|employees?|patients?|contacts?|members?|accounts?|staff|guests?"
    r"|students?|teachers?|doctors?|subscribers?|applicants?|candidates?|drivers?|passengers?|leads?|personal?|owners?"
    r"|profiles?|authors?|kunden?|mitarbeiter|clientes?|personas?)(?:$|_)"
)

#: Names of columns that hold identifiers and measures; digits in them are not personal without more evidence.
_NEUTRAL = re.compile(
    r"(?:^|_)(?:id|ids|uuid|guid|hash|sha\d*|md5|digest|checksum|etag|version|build|release|revision|commit|timestamps?"
    r"|created|updated|deleted|at|ts|time|date|order|orders|invoice|tracking|shipment|sku|ean|isbn|gtin|barcode|serial"
    r"|ref|reference|ticket|case|batch|sequence|seq|oid|offset|size|count|total|amount|price|lsn|port|pid|code|nonce)(?:$|_)"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Context:
    """`hints` are the entities the names suggest; `neutral`: they suggest an identifier or measure instead."""

    hints: frozenset[str] = frozenset()
    neutral: bool = False


NO_CONTEXT = Context()


def normalised(name: str) -> str:
    """`customerEMail-Address` → `customer_e_mail_address`."""
    return _SEPARATORS.sub("_", _CAMEL.sub("_", name).lower()).strip("_")


@lru_cache(maxsize=4096)
def of_names(names: tuple[str, ...], tables: tuple[str, ...] = ()) -> Context:
    """The context of a value from the names it is known by (aliases, base columns, json keys) and its tables."""
    plain = [normalised(name) for name in names]
    hints = {entity for entity, pattern in _HINT_PATTERNS for name in plain if pattern.search(name)}
    if hints & {"email", "ip", "mac", "card"}:
        hints.discard("address")
    if {"name", "display_name"} & set(plain) and any(_PEOPLE.search(normalised(table)) for table in (*tables, *names)):
        hints.add("person")
    return Context(frozenset(hints), not hints and any(_NEUTRAL.search(name) for name in plain))


def of_key(key: str, around: Context, parents: Iterable[str] = ()) -> Context:
    """The context of a json leaf: its own key decides; under a key that says nothing, the column's name does."""
    own = of_names((key,), tuple(parents))
    return own if own.hints or own.neutral else around
