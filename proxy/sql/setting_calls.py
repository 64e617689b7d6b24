"""Settings inside queries: current_setting() and set_config(), and what every change of a setting means."""

from __future__ import annotations

from typing import Any

from access.statements import Effect, Flag
from proxy.sql import settings
from proxy.sql.catalog import PG_CATALOG
from proxy.sql.judged import SetSetting
from proxy.sql.trees import UNCERTAIN, Fields, Tree, constant
from proxy.sql.walk import Walk

_PG_SETTINGS = f"{PG_CATALOG}.pg_settings"


class SettingsWalk(Walk):
    """A walk that understands settings."""

    def setting(self, name: str, value: str | None, *, local: bool, sure: bool = True) -> None:
        """A change of a setting; `sure` False: it may or may not happen, which a followed setting must not."""
        name = name.lower()
        self.flags.add(Flag.SETTING)
        answer, why = settings.change(name, value, self.session)
        if answer is settings.Answer.TRACKED and not sure:
            self.refuse(f"A change of {name} must stand alone: SET {name} …, or SELECT set_config(…) and nothing else.")
        elif answer in {settings.Answer.ADMIN, settings.Answer.REFUSED}:
            self.found(Effect.ADMIN)
            self.problem(why)
            self.understood = self.understood and answer is settings.Answer.ADMIN
        self.found(Effect.READ)
        self.controls.append(SetSetting(name, value, local))

    def setting_shown(self, call: Fields) -> None:
        args = call.get("args", [{}])
        name = constant(args[0])
        if isinstance(name, str):
            why = settings.readable(name.lower())
            if why:
                self.found(Effect.ADMIN)
                self.problem(why)
        elif not self._names_of_settings(args[0]) and not (_is_parameter(args[0]) and id(call) in self.compared):
            self.found(Effect.OPAQUE)
            self.problem("current_setting() of a name that is not written out.")

    def setting_called(self, call: Fields) -> None:
        args = call.get("args", [])
        name, value, local = (constant(arg) for arg in args) if len(args) == 3 else (UNCERTAIN,) * 3
        if args and self._names_of_settings(args[0]):
            name = self._the_one_setting()
        if not isinstance(name, str) or not isinstance(local, bool):
            self.refuse("set_config() needs its three arguments written out as constants, in order.")
        elif value is not UNCERTAIN:
            self.setting(name, None if value is None else str(value), local=local, sure=id(call) in self.sure)
        elif _is_parameter(args[1]) and settings.is_free(name.lower(), self.session):
            self.flags.add(Flag.SETTING)
        else:
            self.refuse("set_config() needs its value written out as a constant.")

    def _names_of_settings(self, arg: Tree) -> bool:
        """Whether an argument is the column `name` of pg_settings, which lists no secret of an application."""
        parts = [one.get("String", {}).get("sval", "") for one in arg.get("ColumnRef", {}).get("fields", ())]
        if parts[-1:] != ["name"] or len(parts) > 2:
            return False
        meant = [self.names.tables_called(alias) for alias in parts[:-1] or self.names.tables]
        return bool(meant) and all(
            found and all(self.resolve(one)[0] == _PG_SETTINGS for one in found) for found in meant
        )

    def _the_one_setting(self) -> Any:
        """The constant in `… FROM pg_settings WHERE name = 'x'`."""
        select = self.root.get("SelectStmt", {})
        where = select.get("whereClause", {}).get("A_Expr", {})
        names = [one["String"]["sval"] for one in where.get("name", ())]
        if len(select.get("fromClause", ())) != 1 or where.get("kind") != "AEXPR_OP" or names != ["="]:
            return UNCERTAIN
        return constant(where["rexpr"]) if self._names_of_settings(where.get("lexpr", {})) else UNCERTAIN


def _is_parameter(arg: Tree) -> bool:
    """`$1`, cast or not: a value that cannot come out of a table."""
    return "ParamRef" in arg or ("TypeCast" in arg and _is_parameter(arg["TypeCast"]["arg"]))
