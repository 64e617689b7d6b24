"""Statements that change the database's structure, its administration, or run code as a whole."""

from __future__ import annotations

from typing import Any

from access.statements import Effect, Flag
from proxy.sql.catalog import PG_TEMP
from proxy.sql.dml import TRUNCATE, DmlWalk
from proxy.sql.judged import CreateTemp
from proxy.sql.trees import Fields, Tree

_DDL = frozenset({Effect.DDL})
_ADMIN = frozenset({Effect.ADMIN})
_ADMIN_DANGER = frozenset({Effect.ADMIN, Effect.DANGER})

#: Statements whose kind says all: verb and effects. Their inside runs nothing.
_PLAIN: dict[str, tuple[str, frozenset[Effect]]] = {
    "AlterCollationStmt": ("ALTER COLLATION", _DDL),
    "AlterDatabaseRefreshCollStmt": ("ALTER DATABASE", _ADMIN),
    "AlterDatabaseSetStmt": ("ALTER DATABASE", _ADMIN),
    "AlterDatabaseStmt": ("ALTER DATABASE", _ADMIN),
    "AlterDefaultPrivilegesStmt": ("ALTER DEFAULT PRIVILEGES", _ADMIN),
    "AlterEnumStmt": ("ALTER TYPE", _DDL),
    "AlterEventTrigStmt": ("ALTER EVENT TRIGGER", _ADMIN),
    "AlterExtensionContentsStmt": ("ALTER EXTENSION", _ADMIN),
    "AlterExtensionStmt": ("ALTER EXTENSION", _ADMIN),
    "AlterFdwStmt": ("ALTER FOREIGN DATA WRAPPER", _ADMIN),
    "AlterForeignServerStmt": ("ALTER SERVER", _ADMIN),
    "AlterObjectDependsStmt": ("ALTER", _DDL),
    "AlterOpFamilyStmt": ("ALTER OPERATOR FAMILY", _ADMIN),
    "AlterOperatorStmt": ("ALTER OPERATOR", _ADMIN),
    "AlterOwnerStmt": ("ALTER OWNER", _ADMIN),
    "AlterPublicationStmt": ("ALTER PUBLICATION", _ADMIN),
    "AlterRoleSetStmt": ("ALTER ROLE", _ADMIN),
    "AlterRoleStmt": ("ALTER ROLE", _ADMIN),
    "AlterStatsStmt": ("ALTER STATISTICS", _DDL),
    "AlterSubscriptionStmt": ("ALTER SUBSCRIPTION", _ADMIN),
    "AlterSystemStmt": ("ALTER SYSTEM", _ADMIN),
    "AlterTSConfigurationStmt": ("ALTER TEXT SEARCH CONFIGURATION", _DDL),
    "AlterTSDictionaryStmt": ("ALTER TEXT SEARCH DICTIONARY", _DDL),
    "AlterTableMoveAllStmt": ("ALTER TABLE", _ADMIN),
    "AlterTableSpaceOptionsStmt": ("ALTER TABLESPACE", _ADMIN),
    "AlterTypeStmt": ("ALTER TYPE", _DDL),
    "AlterUserMappingStmt": ("ALTER USER MAPPING", _ADMIN),
    "CheckPointStmt": ("CHECKPOINT", _ADMIN),
    "CommentStmt": ("COMMENT", _DDL),
    "CompositeTypeStmt": ("CREATE TYPE", _DDL),
    "CreateAmStmt": ("CREATE ACCESS METHOD", _ADMIN),
    "CreateCastStmt": ("CREATE CAST", _ADMIN),
    "CreateConversionStmt": ("CREATE CONVERSION", _ADMIN),
    "CreateEnumStmt": ("CREATE TYPE", _DDL),
    "CreateEventTrigStmt": ("CREATE EVENT TRIGGER", _ADMIN),
    "CreateExtensionStmt": ("CREATE EXTENSION", _ADMIN),
    "CreateFdwStmt": ("CREATE FOREIGN DATA WRAPPER", _ADMIN),
    "CreateForeignServerStmt": ("CREATE SERVER", _ADMIN),
    "CreateForeignTableStmt": ("CREATE FOREIGN TABLE", _ADMIN),
    "CreateOpClassStmt": ("CREATE OPERATOR CLASS", _ADMIN),
    "CreateOpFamilyStmt": ("CREATE OPERATOR FAMILY", _ADMIN),
    "CreatePLangStmt": ("CREATE LANGUAGE", _ADMIN),
    "CreatePublicationStmt": ("CREATE PUBLICATION", _ADMIN),
    "CreateRangeStmt": ("CREATE TYPE", _DDL),
    "CreateRoleStmt": ("CREATE ROLE", _ADMIN),
    "CreateSubscriptionStmt": ("CREATE SUBSCRIPTION", _ADMIN),
    "CreateTableSpaceStmt": ("CREATE TABLESPACE", _ADMIN),
    "CreateTransformStmt": ("CREATE TRANSFORM", _ADMIN),
    "CreateUserMappingStmt": ("CREATE USER MAPPING", _ADMIN),
    "CreatedbStmt": ("CREATE DATABASE", _ADMIN),
    "DropOwnedStmt": ("DROP OWNED", _ADMIN_DANGER),
    "DropRoleStmt": ("DROP ROLE", _ADMIN),
    "DropSubscriptionStmt": ("DROP SUBSCRIPTION", _ADMIN),
    "DropTableSpaceStmt": ("DROP TABLESPACE", _ADMIN_DANGER),
    "DropUserMappingStmt": ("DROP USER MAPPING", _ADMIN),
    "DropdbStmt": ("DROP DATABASE", _ADMIN_DANGER),
    "GrantRoleStmt": ("GRANT", _ADMIN),
    "GrantStmt": ("GRANT", _ADMIN),
    "ImportForeignSchemaStmt": ("IMPORT FOREIGN SCHEMA", _ADMIN),
    "LoadStmt": ("LOAD", _ADMIN),
    "ReassignOwnedStmt": ("REASSIGN OWNED", _ADMIN),
    "SecLabelStmt": ("SECURITY LABEL", _ADMIN),
}

#: Statements on one relation whose inside may run functions: verb, the field that names the relation, effects.
_ON_RELATION: dict[str, tuple[str, str, frozenset[Effect]]] = {
    "AlterPolicyStmt": ("ALTER POLICY", "table", _ADMIN),
    "AlterSeqStmt": ("ALTER SEQUENCE", "sequence", _DDL),
    "CreatePolicyStmt": ("CREATE POLICY", "table", _ADMIN),
    "CreateTrigStmt": ("CREATE TRIGGER", "relation", _DDL),
    "IndexStmt": ("CREATE INDEX", "relation", _DDL),
    "RefreshMatViewStmt": ("REFRESH MATERIALIZED VIEW", "relation", _DDL),
    "RuleStmt": ("CREATE RULE", "relation", _DDL),
}

#: What they attach to a temporary table no catalog shows.
_RUN_LATER = frozenset({"CreateTrigStmt", "RuleStmt"})

#: Statements that create a relation: verb, the field that names it.
_CREATES = {
    "CreateSeqStmt": ("CREATE SEQUENCE", "sequence"),
    "CreateStmt": ("CREATE TABLE", "relation"),
    "ViewStmt": ("CREATE VIEW", "view"),
}

_OBJECTS = {
    "ACCESS_METHOD": "ACCESS METHOD",
    "FDW": "FOREIGN DATA WRAPPER",
    "FOREIGN_SERVER": "SERVER",
    "FOREIGN_TABLE": "FOREIGN TABLE",
    "MATVIEW": "MATERIALIZED VIEW",
    "EVENT_TRIGGER": "EVENT TRIGGER",
    "STATISTIC_EXT": "STATISTICS",
    "TSCONFIGURATION": "TEXT SEARCH CONFIGURATION",
    "TSDICTIONARY": "TEXT SEARCH DICTIONARY",
    "TSPARSER": "TEXT SEARCH PARSER",
    "TSTEMPLATE": "TEXT SEARCH TEMPLATE",
}
_RELATIONS = frozenset({"TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "INDEX", "FOREIGN TABLE"})
_ADMIN_OBJECTS = frozenset({
    "ACCESS METHOD", "CAST", "DATABASE", "EVENT TRIGGER", "EXTENSION", "FOREIGN DATA WRAPPER", "FOREIGN TABLE", "LANGUAGE",
    "OPCLASS", "OPFAMILY", "POLICY", "PUBLICATION", "ROLE", "SERVER", "SUBSCRIPTION", "TABLESPACE", "TRANSFORM",
})  # fmt: skip

_ADMIN_CHANGES = ("AT_ChangeOwner", "AT_EnableRowSecurity", "AT_DisableRowSecurity", "AT_ForceRowSecurity",
                  "AT_NoForceRowSecurity", "AT_DisableTrig", "AT_EnableReplicaTrig", "AT_DisableRule",
                  "AT_EnableReplicaRule", "AT_GenericOptions", "AT_AlterColumnGenericOptions")  # fmt: skip


#: Statements that PostgreSQL refuses inside of a transaction, whatever their options.
_BY_THEMSELVES = frozenset({
    "AlterSubscriptionStmt", "AlterSystemStmt", "CreateSubscriptionStmt", "CreateTableSpaceStmt", "CreatedbStmt",
    "DropSubscriptionStmt", "DropTableSpaceStmt", "DropdbStmt",
})  # fmt: skip
_WHOLE_REINDEX = frozenset({"REINDEX_OBJECT_SCHEMA", "REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE"})

#: Languages whose functions can do no more than their caller (PostgreSQL: TRUSTED).
_TRUSTED_LANGUAGES = frozenset({"sql", "plpgsql", "plperl", "pltcl", "plv8"})


def object_name(kind: str) -> str:
    """`OBJECT_MATVIEW` → `MATERIALIZED VIEW`."""
    name = kind.removeprefix("OBJECT_")
    return _OBJECTS.get(name, name.replace("_", " "))


class UtilityWalk(DmlWalk):
    """A walk that understands DDL and administration."""

    def plain(self, node: str, fields: Fields) -> None:
        verb, effects = _PLAIN[node]
        self._utility("REVOKE" if verb == "GRANT" and not fields.get("is_grant") else verb, effects)
        if node in _BY_THEMSELVES:
            self.flags.add(Flag.OUTSIDE_TRANSACTION)
        named = [one["RangeVar"] for one in fields.get("objects", ()) if "RangeVar" in one]
        for one in (*named, *([fields["relation"]] if "relation" in fields else [])):
            self.writes[self.resolve(one)[0]] = None

    def on_relation(self, node: str, fields: Fields) -> None:
        verb, where, effects = _ON_RELATION[node]
        self._utility(verb, effects)
        if node == "IndexStmt" and fields.get("concurrent"):
            self.flags.add(Flag.OUTSIDE_TRANSACTION)
        if where in fields:
            name = self.resolve(fields[where])[0]
            self.writes[name] = None
            if node in _RUN_LATER and name.startswith(PG_TEMP):
                self.found(Effect.OPAQUE)
                self.problem(
                    f"The gateway does not see later what changes of the temporary {fields[where]['relname']} run."
                )
        self.generic(node, {key: value for key, value in fields.items() if key != where})

    def creates(self, node: str, fields: Fields) -> None:
        verb, where = _CREATES[node]
        self._utility(verb, _DDL)
        self.created(fields[where])
        self.generic(node, {key: value for key, value in fields.items() if key != where})

    def _utility(self, verb: str, effects: frozenset[Effect]) -> None:
        self.verbs.append(verb)
        self.effects |= effects
        if Effect.ADMIN in effects:
            self.problem(f"{verb} is administration.")
        if verb.startswith("DROP"):
            self.flags.add(Flag.DROP)

    def created(self, fields: Fields) -> None:
        """A relation is created: where an unqualified name goes, search_path says."""
        name = fields["relname"]
        schema = fields.get("schemaname")
        if fields.get("relpersistence") == "t" or (schema or "").startswith(PG_TEMP):
            self.controls.append(CreateTemp(name))
            schema = PG_TEMP
        if schema is None:
            schema = next((one for one in self.session.search_path if one in self.catalog.schemas), None)
        self.writes[f"{schema}.{name}" if schema else name] = None

    def into(self, fields: Fields) -> None:
        """The target of SELECT INTO and CREATE TABLE AS."""
        self.found(Effect.DDL)
        self.created(fields["rel"])

    def create_table_as(self, fields: Fields) -> None:
        kind = object_name(fields.get("objtype", "OBJECT_TABLE"))
        self.verbs.append("SELECT INTO" if fields.get("is_select_into") else f"CREATE {kind} AS")
        self.into(fields["into"])
        self.node(fields["query"])

    def create_schema(self, fields: Fields) -> None:
        self._utility("CREATE SCHEMA", _ADMIN if "authrole" in fields else _DDL)
        self.nodes(fields.get("schemaElts", ()))

    def create_domain(self, fields: Fields) -> None:
        self._utility("CREATE DOMAIN", _DDL)
        self.generic("CreateDomainStmt", {key: fields[key] for key in ("typeName", "constraints") if key in fields})

    def alter_domain(self, fields: Fields) -> None:
        self._utility("ALTER DOMAIN", _DDL)
        if "def" in fields:
            self.node(fields["def"])

    def create_statistics(self, fields: Fields) -> None:
        self._utility("CREATE STATISTICS", _DDL)
        self.generic("CreateStatsStmt", {key: fields[key] for key in ("exprs", "relations") if key in fields})

    def create_function(self, fields: Fields) -> None:
        """The body runs later, when the function is called; it is held then unless the owner registers it."""
        self._utility("CREATE PROCEDURE" if fields.get("is_procedure") else "CREATE FUNCTION", _DDL)
        self._function_options(fields.get("options", ()))

    def alter_function(self, fields: Fields) -> None:
        self._utility("ALTER FUNCTION", _DDL)
        self._function_options(fields.get("actions", ()))

    def _function_options(self, options: Any) -> None:
        for option in options:
            name = option["DefElem"]["defname"]
            language = option["DefElem"].get("arg", {}).get("String", {}).get("sval", "")
            if name == "language" and language.lower() not in _TRUSTED_LANGUAGES:
                self.found(Effect.ADMIN)
                self.problem("A function in a language that reaches the server's machine is administration.")
            if name in {"security", "leakproof", "set"}:
                self.found(Effect.ADMIN)
                self.problem("A function with other rights or settings than its caller's is administration.")

    def define(self, fields: Fields) -> None:
        kind = object_name(fields["kind"])
        self._utility(f"CREATE {kind}", _ADMIN if kind in {"TYPE", "OPERATOR"} else _DDL)

    def alter_table(self, fields: Fields) -> None:
        kind = object_name(fields.get("objtype", "OBJECT_TABLE"))
        self._utility(f"ALTER {kind}", _ADMIN if kind in _ADMIN_OBJECTS else _DDL)
        self.writes[self.resolve(fields["relation"])[0]] = None
        for one in fields.get("cmds", ()):
            command = one["AlterTableCmd"]
            change = command["subtype"]
            retyped = change == "AT_AlterColumnType" and "raw_default" in command.get("def", {}).get("ColumnDef", {})
            if change == "AT_DropColumn" or retyped:
                self.found(Effect.DANGER)
                self.problem("It drops or rewrites a column of every row.")
            if change in {"AT_DropColumn", "AT_DropConstraint"}:
                self.flags.add(Flag.DROP)
            if change.startswith(_ADMIN_CHANGES):
                self.found(Effect.ADMIN)
                self.problem("It changes who owns the table, or switches its protections.")
        self.generic("AlterTableStmt", {key: value for key, value in fields.items() if key != "relation"})

    def partition(self, fields: Fields) -> None:
        """ATTACH and DETACH PARTITION change the partition as well."""
        if fields.get("concurrent"):
            self.flags.add(Flag.OUTSIDE_TRANSACTION)
        self.writes[self.resolve(fields["name"])[0]] = None
        if "bound" in fields:
            self.generic("PartitionBoundSpec", fields["bound"])

    def rename(self, fields: Fields) -> None:
        kind = object_name(fields["renameType"])
        self._utility(f"ALTER {kind}", _ADMIN if kind in _ADMIN_OBJECTS else _DDL)
        if "relation" in fields:
            name = self.resolve(fields["relation"])[0]
            self.writes[name] = None
            if name.startswith(f"{PG_TEMP}.") and kind in _RELATIONS:
                self.controls.append(CreateTemp(fields["newname"]))

    def alter_schema(self, fields: Fields) -> None:
        kind = object_name(fields["objectType"])
        self._utility(f"ALTER {kind}", _ADMIN if kind in _ADMIN_OBJECTS else _DDL)
        if "relation" in fields:
            self.writes[self.resolve(fields["relation"])[0]] = None

    def drop(self, fields: Fields) -> None:
        kind = object_name(fields["removeType"])
        self._utility(f"DROP {kind}", (_ADMIN if kind in _ADMIN_OBJECTS else _DDL) | {Effect.DANGER})
        for one in fields.get("objects", ()):
            parts = [part["String"]["sval"] for part in one.get("List", {}).get("items", ()) if "String" in part]
            if kind in {"TRIGGER", "RULE", "POLICY"}:
                parts = parts[:-1]
            if parts:
                self.writes[self.resolve(_as_range_var(parts))[0]] = None
        if fields.get("behavior") == "DROP_CASCADE":
            self.flags.add(Flag.CASCADE)
        if fields.get("concurrent"):
            self.flags.add(Flag.OUTSIDE_TRANSACTION)
        self.problem(f"DROP {kind} cannot be undone.")

    def truncate(self, fields: Fields) -> None:
        self.verbs.append(TRUNCATE)
        self.found(Effect.DANGER)
        self.flags |= {Flag.TRUNCATE, Flag.UNBOUNDED_WRITE, Flag.UNCOUNTED}
        self.problem("TRUNCATE removes every row.")
        for one in fields.get("relations", ()):
            self.write(one["RangeVar"], TRUNCATE)
            relation = self.resolve(one["RangeVar"])[1]
            if relation is not None and fields.get("behavior") == "DROP_CASCADE":
                self.truncate_children(relation)

    def maintenance(self, node: str, fields: Fields) -> None:
        """VACUUM, ANALYZE, CLUSTER, REINDEX: they change no data, but some lock tables for long."""
        vacuum = node == "VacuumStmt"
        verb = ("VACUUM" if fields.get("is_vacuumcmd") else "ANALYZE") if vacuum else node.removesuffix("Stmt").upper()
        self._utility(verb, _DDL)
        options = {one["DefElem"]["defname"] for one in (*fields.get("options", ()), *fields.get("params", ()))}
        if not vacuum or "full" in options:
            self.flags.add(Flag.LOCK)
        whole = node == "ClusterStmt" and "relation" not in fields
        if verb == "VACUUM" or whole or fields.get("kind") in _WHOLE_REINDEX or "concurrently" in options:
            self.flags.add(Flag.OUTSIDE_TRANSACTION)
        targets = [one["VacuumRelation"].get("relation") for one in fields.get("rels", ())] + [fields.get("relation")]
        for target in targets:
            if target is not None:
                self.writes[self.resolve(target)[0]] = None

    def do(self, _: Fields) -> None:
        self.verbs.append("DO")
        self.found(Effect.OPAQUE)
        self.flags.add(Flag.UNCOUNTED)
        self.problem("DO runs code that the gateway does not look into.")

    def call(self, fields: Fields) -> None:
        self.verbs.append("CALL")
        self.found(Effect.READ)
        self.flags.add(Flag.UNCOUNTED)
        self.func_call(fields["funccall"])


def _as_range_var(parts: list[str]) -> Tree:
    return {"relname": parts[-1], **({"schemaname": parts[-2]} if len(parts) > 1 else {})}


def _bind(method: Any, node: str) -> Any:
    return lambda walk, fields: method(walk, node, fields)


UtilityWalk.handlers = {
    **DmlWalk.handlers,
    **{node: _bind(UtilityWalk.plain, node) for node in _PLAIN},
    **{node: _bind(UtilityWalk.on_relation, node) for node in _ON_RELATION},
    **{node: _bind(UtilityWalk.creates, node) for node in _CREATES},
    **{node: _bind(UtilityWalk.maintenance, node) for node in ("ClusterStmt", "ReindexStmt", "VacuumStmt")},
    "AlterDomainStmt": UtilityWalk.alter_domain,
    "AlterFunctionStmt": UtilityWalk.alter_function,
    "AlterObjectSchemaStmt": UtilityWalk.alter_schema,
    "AlterTableStmt": UtilityWalk.alter_table,
    "CallStmt": UtilityWalk.call,
    "CreateDomainStmt": UtilityWalk.create_domain,
    "CreateFunctionStmt": UtilityWalk.create_function,
    "CreateSchemaStmt": UtilityWalk.create_schema,
    "CreateStatsStmt": UtilityWalk.create_statistics,
    "CreateTableAsStmt": UtilityWalk.create_table_as,
    "DefineStmt": UtilityWalk.define,
    "DoStmt": UtilityWalk.do,
    "DropStmt": UtilityWalk.drop,
    "IntoClause": UtilityWalk.into,
    "PartitionCmd": UtilityWalk.partition,
    "RenameStmt": UtilityWalk.rename,
    "TruncateStmt": UtilityWalk.truncate,
}
