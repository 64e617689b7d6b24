"""PostgreSQL's built-in types as masking sees them (pg_type.dat): which can hold personal text, and in what layout."""

from __future__ import annotations

from enum import Enum, auto


class Kind(Enum):
    """What the bytes of a value are, and so how they can be masked."""

    SAFE = auto()  # cannot hold personal text; a date or number that is personal is found by its column
    NUMBER = auto()  # looked at only when the column's name suggests a number of personal kind
    DATE = auto()  # personal when the column's name says date of birth
    ADDRESS = auto()  # inet, cidr, macaddr: always a network address
    TEXT = auto()  # the same bytes in both formats
    JSON = auto()
    JSONB = auto()  # binary: a version byte, then text
    XML = auto()
    BYTEA = auto()
    ARRAY = auto()  # binary: dimensions, element type, elements
    RECORD = auto()  # binary: fields with their types
    OTHER = auto()  # types of extensions and users, tsvector, ranges: text format is text, binary is opaque


_KINDS: dict[Kind, tuple[int, ...]] = {
    Kind.SAFE: (
        16, 18, 22, 24, 26, 27, 28, 29, 30, 194, 600, 601, 602, 603, 604, 628, 718, 790, 1083, 1186, 1266, 1560, 1562,
        2202, 2203, 2204, 2205, 2206, 2278, 2950, 2970, 3220, 3734, 3769, 3904, 3906, 3908, 3910, 3912, 3926, 4089,
        4096, 4191, 4451, 4532, 4533, 4534, 4535, 4536, 5038, 5069,
        # arrays of the above that people meet
        1000, 1002, 1006, 1008, 1010, 1011, 1012, 1013, 1028, 1183, 1187, 1270, 1561, 1563, 2207, 2208, 2209, 2210, 2211,
        2951, 3221, 271, 791, 1017, 1018, 1019, 1020, 1027, 629, 719, 3905, 3907, 3909, 3911, 3913, 3927,
    ),
    Kind.NUMBER: (20, 21, 23, 700, 701, 1700),
    Kind.DATE: (1082, 1114, 1184),
    Kind.ADDRESS: (650, 774, 829, 869),
    Kind.TEXT: (19, 25, 705, 1042, 1043, 2275, 4072),
    Kind.JSON: (114,),
    Kind.JSONB: (3802,),
    Kind.XML: (142,),
    Kind.BYTEA: (17,),
    Kind.ARRAY: (
        143, 199, 1001, 1003, 1009, 1014, 1015, 1263, 2287, 3807, 4073,
        651, 775, 1040, 1041, 1005, 1007, 1016, 1021, 1022, 1231, 1115, 1182, 1185, 2277,
    ),
    Kind.RECORD: (2249,),
}  # fmt: skip
_BY_OID = {oid: kind for kind, oids in _KINDS.items() for oid in oids}


def kind_of(type_oid: int) -> Kind:
    """The kind of a type; every type nobody knows is OTHER."""
    return _BY_OID.get(type_oid, Kind.OTHER)
