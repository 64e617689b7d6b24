"""What lineage knows about functions and about the names PostgreSQL gives to unnamed output columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary, proxy

from proxy.sql.catalog import PG_CATALOG, Catalog, Function, Name

Tree = Mapping[str, Any]

#: Their result tells whether or how many values there are, never a value, as long as the argument is a bare column.
COUNTING = frozenset({"count", "num_nonnulls", "num_nulls", "pg_typeof"})

#: What is handed to them stays behind where others, or a later statement, can look it up: a lock's key, a seed, a sequence,
#: a setting, a large object, a notification, or the time it takes.
KEEPERS = frozenset({
    "setseed", "setval", "set_config", "pg_notify", "pg_logical_emit_message", "pg_sleep", "pg_sleep_for", "pg_sleep_until",
    "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared",
    "pg_try_advisory_lock", "pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared",
    "lo_create", "lo_creat", "lo_from_bytea", "lo_put", "lo_open", "lowrite", "lo_import", "lo_export", "lo_truncate",
    "pg_create_restore_point", "pg_replication_origin_create", "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot", "pg_stat_reset_shared", "pg_cancel_backend", "pg_terminate_backend",
})  # fmt: skip

#: Built-in functions whose result depends on stored data or on other sessions, not only on their arguments.
READERS = frozenset({
    "cursor_to_xml", "cursor_to_xml_and_xmlschema", "database_to_xml", "database_to_xml_and_xmlschema",
    "query_to_xml", "query_to_xml_and_xmlschema", "schema_to_xml", "schema_to_xml_and_xmlschema",
    "table_to_xml", "table_to_xml_and_xmlschema", "ts_stat", "ts_rewrite", "xpath_table", "crosstab", "connectby",
    "dblink", "dblink_exec", "dblink_fetch", "dblink_get_result", "dblink_send_query", "dblink_open",
    "lo_get", "lo_export", "loread", "lowrite", "pg_read_file", "pg_read_binary_file", "pg_ls_dir",
    "pg_stat_get_activity", "pg_cursor", "pg_prepared_statement", "pg_prepared_xact", "pg_logical_slot_get_changes",
    "pg_logical_slot_peek_changes", "pg_logical_slot_get_binary_changes", "pg_logical_slot_peek_binary_changes",
    "heap_page_items", "heap_page_item_attrs", "get_raw_page", "tuple_data_split", "bt_page_items", "brin_page_items",
    "gin_leafpage_items", "gist_page_items", "hash_page_items", "pg_stat_statements", "plpgsql_call_handler",
    "pg_stat_get_backend_activity", "pg_mcv_list_items", "pg_current_logfile", "current_query", "pgrowlocks",
})  # fmt: skip

#: Where the server keeps the bounds of partitions: values of the columns by which tables are divided.
HAS_BOUNDS = "pg_catalog.pg_class"
BOUNDS = f"{HAS_BOUNDS}.relpartbound"

#: They tell the bounds of the partition that an argument names.
TELLS_BOUNDS = frozenset({"pg_get_partition_constraintdef"})

#: They show a definition, and cannot fail because of a value in it.
SHOWS_DEFINITIONS = TELLS_BOUNDS | {"pg_get_expr"}

#: Extensions whose functions are functions of their arguments, in whatever language they are written.
_PURE_EXTENSIONS = frozenset({
    "bloom", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "dict_xsyn", "earthdistance", "fuzzystrmatch",
    "hstore", "intarray", "isn", "ltree", "pg_trgm", "pgcrypto", "postgis", "seg", "unaccent", "uuid-ossp", "vector",
})  # fmt: skip

#: Column names of the built-in set-returning functions people use in FROM.
RESULT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "json_each": ("key", "value"),
    "jsonb_each": ("key", "value"),
    "json_each_text": ("key", "value"),
    "jsonb_each_text": ("key", "value"),
    "json_array_elements": ("value",),
    "jsonb_array_elements": ("value",),
    "json_array_elements_text": ("value",),
    "jsonb_array_elements_text": ("value",),
    "each": ("key", "value"),
    "ts_parse": ("tokid", "token"),
}

#: Built-in functions with exactly one result column, named like the function or its alias.
SINGLE_COLUMN = frozenset({
    "generate_series", "generate_subscripts", "json_object_keys", "jsonb_object_keys", "jsonb_path_query",
    "regexp_matches", "regexp_split_to_table", "string_to_table", "now", "upper", "lower", "skeys", "svals",
    *TELLS_BOUNDS,
})  # fmt: skip


def candidates(name: Sequence[str], catalog: Catalog, search_path: Sequence[str]) -> list[Function]:
    """Every function a possibly qualified name can mean; which overload is called depends on types nobody knows here."""
    schemas = name[-2:-1] or search_path
    return [one for schema in schemas for one in catalog.functions.get((schema, name[-1]), ())]


class Meanings:
    """What names of functions, operators and types mean on a catalog under one search path. Answers are remembered."""

    def __init__(self, catalog: Catalog, search_path: tuple[str, ...]) -> None:
        # It is remembered by its catalog, which would never go.
        self._catalog: Catalog = proxy(catalog)
        self._path = search_path
        self._known: dict[tuple[str, ...], bool] = {}

    def contained(self, *name: str) -> bool:
        """`contained` of a function."""
        return self._of("contained", name, lambda: contained(name, self._catalog, self._path))

    def returns_set(self, *name: str) -> bool:
        """Whether a call of a function may give more than one row."""
        return self._of(
            "set", name, lambda: any(one.returns_set for one in candidates(name, self._catalog, self._path))
        )

    def named(self, *name: str) -> bool:
        """Whether there is a function of that name."""
        return self._of("named", name, lambda: bool(candidates(name, self._catalog, self._path)))

    def operator(self, *name: str) -> bool:
        """`behind` of an operator."""
        return self._of("operator", name, lambda: behind(self._catalog.operators, name, self._catalog, self._path))

    def cast(self, *name: str) -> bool:
        """`behind` of a cast to a type."""
        return self._of("cast", name, lambda: behind(self._catalog.types, name, self._catalog, self._path))

    def _of(self, what: str, name: tuple[str, ...], answer: Callable[[], bool]) -> bool:
        key = (what, *name)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = answer()
        return known


#: Remembered answers, and search paths of a catalog; beyond that the memory starts anew (statements may make up names).
_REMEMBERED, _PATHS = 8192, 64
_MEANINGS: WeakKeyDictionary[Catalog, dict[tuple[str, ...], Meanings]] = WeakKeyDictionary()


def meanings(catalog: Catalog, search_path: tuple[str, ...]) -> Meanings:
    """The one `Meanings` of a snapshot and path."""
    known = _MEANINGS.setdefault(catalog, {})
    found = known.get(search_path)
    if found is None:
        if len(known) >= _PATHS:
            known.clear()
        found = known[search_path] = Meanings(catalog, search_path)
    return found


def contained(name: Sequence[str], catalog: Catalog, search_path: Sequence[str]) -> bool:
    """Whether a call can only depend on its arguments: all candidates came with the server or a well-known extension.

    A function in SQL, PL/pgSQL or any other language may read anything, and so may one that is not in the catalog.
    """
    found = candidates(name, catalog, search_path)
    return name[-1] not in READERS and bool(found) and all(_is_contained(one) for one in found)


def _is_contained(function: Function) -> bool:
    if function.extension:
        return function.extension in _PURE_EXTENSIONS
    return function.builtin and (function.language in {"internal", "c"} or function.schema == PG_CATALOG)


def reads_session(name: Sequence[str], args: Sequence[Tree]) -> bool:
    """Whether a call reads a setting that somebody could have put any value into."""
    if name[-1] != "current_setting":
        return False
    constant = args[0].get("A_Const", {}).get("sval", {}).get("sval") if args else None
    return constant is None or is_free_setting(str(constant))


def is_free_setting(name: str) -> bool:
    """Whether a setting holds free text: those of applications, and names with a dot."""
    return "." in name or name.lower() == "application_name"


def behind(
    known: Mapping[Name, frozenset[Name]], name: Sequence[str], catalog: Catalog, search_path: Sequence[str]
) -> bool:
    """Whether everything an operator or cast can call is contained; built-in ones nobody listed are."""
    schemas = name[-2:-1] or search_path
    called = {function for schema in schemas for function in known.get((schema, name[-1]), ())}
    return all(contained(function, catalog, search_path) for function in called)


def shows_bounds(node: Tree) -> bool:
    """Whether an expression is the bounds of partitions and nothing that is computed from them."""
    call = node.get("FuncCall", {})
    args = [one.get("TypeCast", {}).get("arg", one) for one in call.get("args", ())]
    named = (strings(call.get("funcname", ())) or [""])[-1]
    return named in SHOWS_DEFINITIONS and all(not one.keys().isdisjoint(_SIMPLE) for one in args)


_SIMPLE = frozenset({"ColumnRef", "A_Const", "ParamRef"})


def strings(nodes: Sequence[Tree]) -> list[str]:
    """The texts of a list of String nodes; anything else in it (a star) is left out."""
    return [node["String"].get("sval", "") for node in nodes if "String" in node]


def operator(body: Tree) -> str:
    """The name of an operator that is not qualified; empty when it is."""
    name = body.get("name", ())
    return str(name[0]["String"].get("sval", "")) if len(name) == 1 else ""


_FIXED = {
    "CaseExpr": "case",
    "A_ArrayExpr": "array",
    "RowExpr": "row",
    "CoalesceExpr": "coalesce",
    "GroupingFunc": "grouping",
    "MergeSupportFunc": "merge_action",
    "XmlSerialize": "xmlserialize",
    "JsonObjectConstructor": "json_object",
    "JsonArrayConstructor": "json_array",
    "JsonArrayQueryConstructor": "json_array",
    "JsonObjectAgg": "json_objectagg",
    "JsonArrayAgg": "json_arrayagg",
    "JsonParseExpr": "json",
    "JsonScalarExpr": "json_scalar",
    "JsonSerializeExpr": "json_serialize",
}
_LEVELS = 64


def column_name(node: Tree) -> str:
    """The name PostgreSQL gives to an output column without AS (FigureColname in parse_target.c)."""
    fallback = ""
    for _ in range(_LEVELS):
        kind, body = next(iter(node.items()))
        if kind == "ColumnRef":
            return (strings(body.get("fields", ())) or ["?column?"])[-1]
        if kind == "FuncCall":
            return strings(body["funcname"])[-1]
        if kind in {"A_Indirection", "TypeCast", "CollateClause"}:
            own = strings(body.get("indirection", ())) or strings(body.get("typeName", {}).get("names", ()))
            if kind == "A_Indirection" and own:
                return own[-1]
            fallback = fallback or (own[-1] if own else "")
            node = body["arg"]
            continue
        if kind == "SubLink" and body.get("subLinkType") == "EXPR_SUBLINK":
            select = body["subselect"].get("SelectStmt", {})
            while "larg" in select:
                select = select["larg"]
            if "valuesLists" in select:
                return "column1"
            target = select["targetList"][0]["ResTarget"]
            if "name" in target:
                return str(target["name"])
            node = target["val"]
            continue
        if kind == "CaseExpr" and "defresult" in body:
            fallback = fallback or "case"
            node = body["defresult"]
            continue
        return _of_other(kind, body) or fallback or "?column?"
    return "?column?"


def _of_other(kind: str, body: Tree) -> str:
    if kind == "SubLink":
        return {"EXISTS_SUBLINK": "exists", "ARRAY_SUBLINK": "array"}.get(body.get("subLinkType", ""), "")
    if kind == "A_Expr":
        return "nullif" if body.get("kind") == "AEXPR_NULLIF" else ""
    if kind in {"MinMaxExpr", "XmlExpr"}:
        return str(body.get("op", "")).removeprefix("IS_").lower()
    if kind == "SQLValueFunction":
        return str(body.get("op", "")).removeprefix("SVFOP_").removesuffix("_N").lower()
    if kind == "JsonFuncExpr":
        return "json_" + str(body.get("op", "")).removeprefix("JSON_").removesuffix("_OP").lower()
    return _FIXED.get(kind, "")
