"""The kinds of objects that DROP, RENAME, SET SCHEMA and CREATE speak of, sorted by what hangs on their names."""

from __future__ import annotations

from enum import StrEnum


class Sort(StrEnum):
    """`PART` is a part of one object, `ATTACHED` runs when a table is used, `UNNAMED` is used without being named, and what is
    `APART` is no part of what statements mean."""

    RELATION = "relation"
    FUNCTION = "function"
    TYPE = "type"
    SCHEMA = "schema"
    PART = "part"
    ATTACHED = "attached"
    UNNAMED = "unnamed"
    APART = "apart"


#: ObjectType of PostgreSQL (nodes/parsenodes.h), without `OBJECT_`.
_SORTS = {
    Sort.RELATION: "FOREIGN_TABLE INDEX MATVIEW SEQUENCE TABLE VIEW",
    Sort.FUNCTION: "AGGREGATE FUNCTION PROCEDURE ROUTINE",
    Sort.TYPE: "DOMAIN TYPE",
    Sort.SCHEMA: "SCHEMA",
    Sort.PART: "ATTRIBUTE COLUMN DEFACL DEFAULT DOMCONSTRAINT TABCONSTRAINT",
    Sort.ATTACHED: "POLICY RULE TRIGGER",
    Sort.UNNAMED: "AMOP AMPROC CAST EXTENSION OPCLASS OPERATOR OPFAMILY TRANSFORM",
    Sort.APART: """
        ACCESS_METHOD COLLATION CONVERSION DATABASE EVENT_TRIGGER FDW FOREIGN_SERVER LANGUAGE LARGEOBJECT PARAMETER_ACL
        PUBLICATION PUBLICATION_NAMESPACE PUBLICATION_REL ROLE STATISTIC_EXT SUBSCRIPTION TABLESPACE TSCONFIGURATION
        TSDICTIONARY TSPARSER TSTEMPLATE USER_MAPPING
    """,
}
SORTS = {f"OBJECT_{kind}": sort for sort, kinds in _SORTS.items() for kind in kinds.split()}


def sort_of(kind: str) -> Sort:
    """What nobody thought of could be used without being named."""
    return SORTS.get(kind, Sort.UNNAMED)
