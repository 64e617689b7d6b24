"""What calling a function means: reviewed lists for built-in functions and for well-known extensions.

A built-in function that PostgreSQL calls IMMUTABLE or STABLE is a read unless it is listed here (it executes text, or
reads other sessions, files or statistics). A VOLATILE one is a read only when it is listed as harmless. Everything
else needs the owner's word (`Catalog.registered`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from access.statements import Effect, Flag
from proxy.sql.catalog import Function, Volatility
from proxy.sql.names import words


@dataclass(frozen=True, slots=True)
class Call:
    """What one call does. `names` are what it may resolve to; `special` names the ones whose arguments matter."""

    names: tuple[str, ...] = ()
    effects: frozenset[Effect] = frozenset()
    flags: frozenset[Flag] = frozenset()
    problem: str = ""
    special: str = ""
    aggregate: bool = False
    returns_set: bool = False


#: VOLATILE, but they change nothing and tell nothing about anybody else's data.
HARMLESS = words("""
    amvalidate array_sample array_shuffle bernoulli clock_timestamp current_query currtid2 currval gen_random_uuid
    lastval pg_blocking_pids pg_collation_actual_version pg_control_checkpoint pg_control_init pg_control_recovery
    pg_control_system pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn
    pg_database_collation_actual_version pg_database_size pg_export_snapshot pg_get_multixact_members
    pg_get_sequence_data pg_get_wait_events pg_get_wal_replay_pause_state pg_get_wal_resource_managers
    pg_get_wal_summarizer_state pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused
    pg_isolation_test_session_is_blocked pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn
    pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_lock_status pg_notification_queue_usage
    pg_partition_ancestors pg_partition_tree pg_prepared_xact pg_relation_size pg_safe_snapshot_blocking_pids
    pg_sequence_last_value pg_sleep pg_sleep_for pg_sleep_until pg_stat_clear_snapshot pg_stat_get_backend_io
    pg_stat_get_backend_wal pg_stat_get_io pg_stat_get_recovery_prefetch pg_stat_get_xact_blocks_fetched
    pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls pg_stat_get_xact_function_self_time
    pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans pg_stat_get_xact_tuples_deleted
    pg_stat_get_xact_tuples_fetched pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_inserted
    pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_returned pg_stat_get_xact_tuples_updated
    pg_stat_have_stats pg_table_size pg_tablespace_size pg_total_relation_size pg_xact_commit_timestamp
    pg_xact_commit_timestamp_origin pg_xact_status random random_normal setseed system timeofday txid_status uuidv4
    uuidv7
""")

#: They run SQL text, or read tables named by a value: nobody can see in the tree what they touch.
EXECUTES_TEXT = words("""
    cursor_to_xml cursor_to_xmlschema database_to_xml database_to_xml_and_xmlschema database_to_xmlschema
    pg_input_error_info pg_input_is_valid query_to_xml
    query_to_xml_and_xmlschema query_to_xmlschema schema_to_xml schema_to_xml_and_xmlschema schema_to_xmlschema
    table_to_xml table_to_xml_and_xmlschema table_to_xmlschema ts_rewrite ts_stat
""")

#: IMMUTABLE or STABLE, but they show statements of other sessions, values out of statistics, or connection strings.
TELLS_TOO_MUCH = words("""
    pg_mcv_list_items pg_stat_get_activity pg_stat_get_backend_activity pg_stat_get_wal_receiver
""")

#: They change what lasts.
WRITES = words("""
    lo_creat lo_create lo_from_bytea lo_put lo_truncate lo_truncate64 lo_unlink lowrite nextval pg_notify
    pg_logical_emit_message setval tsvector_update_trigger tsvector_update_trigger_column brin_desummarize_range
    brin_summarize_new_values brin_summarize_range gin_clean_pending_list
""")

#: Taking one keeps others waiting, so it is no read; letting go is.
ADVISORY_LOCKS = words("""
    pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock
    pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
""")
ADVISORY_UNLOCKS = words("pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared")

#: Their arguments decide (see `settings`).
SPECIAL = words("set_config current_setting")

#: Extensions whose compiled functions do what their documentation says and nothing else.
TRUSTED_EXTENSIONS = words("""
    bloom btree_gin btree_gist citext cube earthdistance fuzzystrmatch hstore intarray isn ltree pg_trgm pgcrypto
    postgis seg unaccent uuid-ossp vector
""")

#: Their volatile functions that are harmless: randomness, mostly.
_EXTENSION_HARMLESS = words("""
    uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 gen_random_bytes gen_random_uuid gen_salt pgp_sym_encrypt
    pgp_sym_encrypt_bytea pgp_pub_encrypt pgp_pub_encrypt_bytea
""")

#: Aggregates that hand over every value they were given: one row, but not a bounded read.
COLLECTING = words("""
    array_agg json_agg json_agg_strict json_object_agg json_object_agg_strict json_object_agg_unique
    json_object_agg_unique_strict jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict
    jsonb_object_agg_unique jsonb_object_agg_unique_strict range_agg string_agg xmlagg
""")


def builtin_call(name: str, overloads: Iterable[Function]) -> Call:
    """What the function `name` that came with the server does. `overloads` is not empty."""
    found = tuple(overloads)
    names = (f"{found[0].schema}.{name}",)
    shape = _shape(found)
    if name in SPECIAL:
        return Call(names, special=name)
    if name in EXECUTES_TEXT:
        return Call(names, frozenset({Effect.OPAQUE}), problem=f"{name}() runs or reads what its arguments name.")
    if name in TELLS_TOO_MUCH:
        problem = f"{name}() shows statements, settings or values of others."
        return Call(names, frozenset({Effect.ADMIN}), problem=problem)
    if name in WRITES:
        return Call(names, frozenset({Effect.WRITE}))
    if name in ADVISORY_LOCKS:
        problem = "It takes an advisory lock, which may keep others waiting."
        return Call(names, frozenset({Effect.WRITE}), frozenset({Flag.LOCK}), problem)
    if name in ADVISORY_UNLOCKS:
        return Call(names, flags=frozenset({Flag.LOCK}))
    if name in HARMLESS or all(one.volatility is not Volatility.VOLATILE for one in found):
        return Call(names, aggregate=shape[0], returns_set=shape[1])
    return Call(names, frozenset({Effect.ADMIN}), problem=f"{name}() is a server administration function.")


def is_trusted(function: Function) -> bool:
    """Whether a function that is not built in may be called as a read without the owner's word."""
    return (
        function.extension in TRUSTED_EXTENSIONS
        and function.language in {"c", "internal"}
        and (function.volatility is not Volatility.VOLATILE or function.name in _EXTENSION_HARMLESS)
    )


def user_call(overloads: Iterable[Function], *, registered: bool) -> Call:
    """What a function outside pg_catalog does: nothing but read when trusted or `registered`, else nobody knows."""
    found = tuple(overloads)
    names = tuple(dict.fromkeys(f"{one.schema}.{one.name}" for one in found))
    aggregate, returns_set = _shape(found)
    if registered or all(is_trusted(one) for one in found):
        return Call(names, aggregate=aggregate, returns_set=returns_set)
    return unregistered(names)


def unregistered(names: tuple[str, ...]) -> Call:
    """A call of something nobody vouched for."""
    problem = f"It calls {names[0]}(), which the owner has not registered as a harmless read."
    return Call(names, frozenset({Effect.OPAQUE}), frozenset({Flag.UNREGISTERED_FUNCTION}), problem)


def unknown(name: str) -> Call:
    """A call of something that is not in the snapshot of the catalog."""
    problem = f"It calls {name}(), which is not in the gateway's snapshot of this database."
    return Call((name,), frozenset({Effect.OPAQUE}), frozenset({Flag.UNREGISTERED_FUNCTION}), problem)


def _shape(found: tuple[Function, ...]) -> tuple[bool, bool]:
    """(every overload is an aggregate, some overload returns a set)."""
    return bool(found) and all(one.kind == "a" for one in found), any(one.returns_set for one in found)
