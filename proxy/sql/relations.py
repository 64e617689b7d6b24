"""What reading a system relation means: which of them give away secrets or other people's data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from proxy.sql.catalog import INFORMATION_SCHEMA, PG_CATALOG
from proxy.sql.names import words

#: System relations anybody may read: names, definitions, counters, one's own session.
_OPEN = words("""
    pg_aggregate pg_aios pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extension_versions
    pg_available_extensions pg_cast pg_class pg_collation pg_config pg_constraint pg_conversion pg_cursors pg_database
    pg_db_role_setting pg_default_acl pg_depend pg_description pg_enum pg_event_trigger pg_extension
    pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_group pg_index pg_indexes pg_inherits pg_init_privs pg_language
    pg_largeobject_metadata pg_locks pg_matviews pg_namespace pg_opclass pg_operator pg_opfamily pg_parameter_acl
    pg_partitioned_table pg_pltemplate pg_policies pg_policy pg_prepared_statements pg_prepared_xacts pg_proc
    pg_publication pg_publication_namespace pg_publication_rel pg_publication_tables pg_range pg_replication_origin
    pg_replication_origin_status pg_replication_slots pg_rewrite pg_roles pg_rules pg_seclabel pg_seclabels pg_sequence
    pg_sequences pg_settings pg_shdepend pg_shdescription pg_shmem_allocations pg_shmem_allocations_numa pg_shseclabel
    pg_statistic_ext pg_subscription_rel pg_tables pg_tablespace pg_timezone_abbrevs pg_timezone_names pg_transform
    pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template pg_type pg_user pg_views
    pg_wait_events
""")
_OPEN_PREFIXES = ("pg_stat_", "pg_statio_")

#: Never readable, whatever the columns: why.
_CLOSED: Mapping[str, str] = MappingProxyType(
    {
        "pg_authid": "password verifiers",
        "pg_shadow": "password verifiers",
        "pg_user_mapping": "passwords of foreign servers",
        "pg_largeobject": "large objects, which cannot be masked",
        "pg_statistic": "values sampled from tables",
        "pg_statistic_ext_data": "values sampled from tables",
        "pg_hba_file_rules": "the server's authentication rules",
        "pg_ident_file_mappings": "the server's authentication rules",
        "pg_file_settings": "the server's configuration files",
        "pg_backend_memory_contexts": "the server's memory",
        "pg_toast": "table contents in raw form",
    }
)

#: Readable without these columns: (columns, what they hold). A star or a whole row names them all.
_PARTLY: Mapping[str, tuple[frozenset[str], str]] = MappingProxyType(
    {
        "pg_stat_activity": (words("query"), "other sessions' statements"),
        "pg_stat_statements": (words("query"), "other people's statements"),
        "pg_stat_wal_receiver": (words("conninfo"), "a connection string"),
        "pg_subscription": (words("subconninfo"), "a connection string"),
        "pg_user_mappings": (words("umoptions"), "passwords of foreign servers"),
        "pg_stats": (
            words("most_common_vals histogram_bounds most_common_elems range_length_histogram range_bounds_histogram"),
            "values sampled from tables",
        ),
        "pg_stats_ext": (words("most_common_vals most_common_base_freqs"), "values sampled from tables"),
        "pg_stats_ext_exprs": (
            words("expr most_common_vals histogram_bounds most_common_elems range_length_histogram "
                   "range_bounds_histogram"),
            "values sampled from tables",
        ),
    }
)  # fmt: skip

_INFORMATION_SCHEMA_CLOSED = words("_pg_user_mappings _pg_foreign_servers user_mapping_options foreign_server_options")


def is_system(schema: str) -> bool:
    """Whether the schema belongs to the server, not to the users of the database."""
    return schema in {PG_CATALOG, INFORMATION_SCHEMA} or schema.startswith("pg_toast")


def closed(schema: str, name: str) -> str:
    """Why nobody may read this relation at all; empty when it may be read (maybe without some columns)."""
    if schema.startswith("pg_toast"):
        return _CLOSED["pg_toast"]
    if schema == INFORMATION_SCHEMA:
        return "passwords of foreign servers" if name in _INFORMATION_SCHEMA_CLOSED else ""
    if schema != PG_CATALOG:
        return ""
    if name in _CLOSED:
        return _CLOSED[name]
    if name in _OPEN or name in _PARTLY or name.startswith(_OPEN_PREFIXES):
        return ""
    return "something the gateway does not know"


def partly(name: str) -> tuple[frozenset[str], str] | None:
    """The columns of a relation of this name (in any schema: extensions choose theirs) that must not be read."""
    return _PARTLY.get(name)
