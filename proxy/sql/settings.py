"""Session settings in three classes: pinned (must keep their meaning), tracked (followed, names are resolved by them)
and free (an allow-list). Every door (SET, set_config, ALTER … SET, CREATE FUNCTION … SET) asks here.

PostgreSQL documentation: "Server Configuration"; values are compared by meaning, as `guc.c` reads them.
"""

from __future__ import annotations

import re
from enum import Enum

from access.scopes import Level
from proxy.sql.catalog import PG_TEMP
from proxy.sql.judged import SqlSession
from proxy.sql.names import split_search_path, words


class Answer(Enum):
    """What may be done with a change of a setting."""

    FREE = "free"
    TRACKED = "tracked"
    ADMIN = "admin"
    REFUSED = "refused"


TRACKED = frozenset({"search_path", "datestyle", "intervalstyle", "timezone"})

READ_ONLY = frozenset({"transaction_read_only", "default_transaction_read_only"})

TIMEOUTS = frozenset({
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
    "transaction_timeout",
})  # fmt: skip

FREE = words("""
    application_name array_nulls bytea_output check_function_bodies client_min_messages constraint_exclusion
    cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction debug_parallel_query
    debug_pretty_print debug_print_parse debug_print_plan debug_print_rewritten default_statistics_target
    default_table_access_method default_tablespace default_text_search_config default_toast_compression
    default_transaction_deferrable default_transaction_isolation default_with_oids effective_cache_size
    effective_io_concurrency escape_string_warning extra_float_digits force_parallel_mode from_collapse_limit geqo
    geqo_effort geqo_generations geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold gin_fuzzy_search_limit
    hash_mem_multiplier hnsw.ef_search icu_validation_level ivfflat.probes jit jit_above_cost jit_expressions
    jit_inline_above_cost jit_optimize_above_cost jit_tuple_deforming join_collapse_limit lc_monetary lc_numeric
    lc_time maintenance_io_concurrency maintenance_work_mem max_parallel_maintenance_workers max_parallel_workers
    max_parallel_workers_per_gather min_parallel_index_scan_size min_parallel_table_scan_size
    parallel_leader_participation parallel_setup_cost parallel_tuple_cost pg_trgm.similarity_threshold
    pg_trgm.strict_word_similarity_threshold pg_trgm.word_similarity_threshold plan_cache_mode quote_all_identifiers
    random_page_cost recursive_worktable_factor restrict_nonsystem_relation_kind row_security seed seq_page_cost
    stats_fetch_consistency synchronize_seqscans temp_buffers transaction_deferrable transaction_isolation work_mem
    xmlbinary xmloption
""")
_FREE_PREFIXES = ("enable_",)

#: Shown to anybody they may hand out credentials; PostgreSQL itself hides some of them from ordinary roles only.
_SECRET = words("""
    archive_cleanup_command archive_command primary_conninfo recovery_end_command restore_command
    ssl_passphrase_command
""")
_READABLE_PREFIXES = ("plpgsql.", "pg_stat_statements.", "auto_explain.", "pg_trgm.", "hnsw.", "ivfflat.", "postgis.")

_UNITS = {"": 1, "us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_TIME = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-z]*)\s*")


def change(name: str, value: str | None, session: SqlSession) -> tuple[Answer, str]:
    """May `session` give the setting `name` (lower case) this value (None = its default)? With why not."""
    if name in _PINNED:
        kept = value is None or _PINNED[name](value, session)
        return (Answer.FREE, "") if kept else (Answer.REFUSED, f"The gateway keeps {name} as it is.")
    if name == "search_path":
        return _search_path(value)
    if name in TRACKED:
        return Answer.TRACKED, ""
    if name in READ_ONLY:
        return _read_only(name, value, session)
    if name in TIMEOUTS:
        return _timeout(name, value, session)
    if is_free(name, session):
        return Answer.FREE, ""
    return Answer.ADMIN, f"The setting {name} is not one that clients may change."


def is_free(name: str, session: SqlSession) -> bool:
    """Whether clients may give the setting `name` (lower case) whatever value they like."""
    return name in FREE or name.startswith(_FREE_PREFIXES) or name in session.free_settings


def readable(name: str) -> str:
    """Why this setting may not be shown; empty when it may. Names with a dot are the application's own: some keep
    secrets there, so only well-known extensions' are shown."""
    if name in _SECRET or ("." in name and not name.startswith(_READABLE_PREFIXES)):
        return f"The setting {name} may hold a secret."
    return ""


def parse_bool(value: str) -> bool | None:
    """A boolean as PostgreSQL reads it (`parse_bool_with_len`): unique prefixes of true/false/yes/no, on, off, 1, 0."""
    text = value.strip().lower()
    if text and any(word.startswith(text) for word in ("true", "yes")):
        return True
    if text and any(word.startswith(text) for word in ("false", "no")):
        return False
    return {"on": True, "1": True, "of": False, "off": False, "0": False}.get(text)


def milliseconds(value: str) -> float | None:
    """A time setting in milliseconds; 0 = no limit; None = not a time."""
    found = _TIME.fullmatch(value)
    if found is None or found[2] not in _UNITS:
        return None
    return float(found[1]) * _UNITS[found[2]]


def _is_utf8(value: str, _: SqlSession) -> bool:
    return re.sub(r"[^a-z0-9]", "", value.lower()) in {"utf8", "unicode"}


def _is_on(value: str, _: SqlSession) -> bool:
    return parse_bool(value) is True


def _is_safe(value: str, _: SqlSession) -> bool:
    return value.strip().lower() == "safe_encoding"


def _is_own_role(value: str, session: SqlSession) -> bool:
    return value == "none" or (bool(session.role) and value == session.role)


def _is_own_user(value: str, session: SqlSession) -> bool:
    return bool(session.role) and value == session.role


_PINNED = {
    "client_encoding": _is_utf8,
    "standard_conforming_strings": _is_on,
    "backslash_quote": _is_safe,
    "role": _is_own_role,
    "session_authorization": _is_own_user,
}


def _search_path(value: str | None) -> tuple[Answer, str]:
    if value is None:
        return Answer.TRACKED, ""
    path = split_search_path(value)
    if path is None:
        return Answer.REFUSED, "The gateway cannot read this search_path."
    if path[:1] == (PG_TEMP,) or any(entry.startswith(("pg_temp_", "pg_toast")) for entry in path):
        return Answer.REFUSED, "A search_path may not put temporary or internal schemas first."
    return Answer.TRACKED, ""


def _read_only(name: str, value: str | None, session: SqlSession) -> tuple[Answer, str]:
    safe = value is None and name.startswith("default_")
    if session.level > Level.READ or safe or (value is not None and parse_bool(value) is True):
        return Answer.FREE, ""
    return Answer.ADMIN, "This session is read only; ask for write access to change that."


def _timeout(name: str, value: str | None, session: SqlSession) -> tuple[Answer, str]:
    ceiling = session.timeouts.get(name, 0)
    asked = None if value is None else milliseconds(value)
    if ceiling <= 0 or value is None or (asked is not None and 0 < asked <= ceiling):
        return Answer.FREE, ""
    return Answer.ADMIN, f"{name} may not be longer than {ceiling} ms here."
