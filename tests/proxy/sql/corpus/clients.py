"""What clients send of their own accord, under a read grant: start-up, pools, catalog browsers, drivers' metadata.

The real psql, pg_dump, psycopg, asyncpg, pg8000 and SQLAlchemy are listened to in `test_clients.py`; these are the ones
that cannot run here (DBeaver, DataGrip, Metabase, pgAdmin, pgjdbc, Npgsql, node-postgres), in their idiom.
"""

# ruff: noqa: ISC004 - long statements over several lines, each element ends with a comma

from access.scopes import Level
from tests.proxy.sql.corpus.case import Case, case

_SENT = [
    # drivers at start-up, pools at hand-over
    "SET extra_float_digits = 3",
    "SET application_name = 'PostgreSQL JDBC Driver'",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET client_encoding TO 'UTF8'; SET client_min_messages TO warning; SET standard_conforming_strings = on",
    "SELECT set_config('client_min_messages', 'warning', false)",
    "SHOW TRANSACTION ISOLATION LEVEL",
    "SHOW standard_conforming_strings; SHOW search_path",
    "BEGIN; SET TRANSACTION READ ONLY",
    "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL",
    "RESET ALL",
    "DISCARD ALL",
    "ROLLBACK",
    "SELECT 1",
    # PostgreSQL shows these options to everybody, and pg_dump asks for them; passwords are in pg_user_mappings
    "select srv.oid as id, srv.srvname as name, srv.srvoptions as options from pg_catalog.pg_foreign_server srv",
    "/* ping */ SELECT 1",
    "SELECT version()",
    "select current_schema()",
    "select version(), current_database(), current_user, session_user, pg_backend_pid(), inet_client_addr()",
    "SELECT current_schema(), session_user",
    "select current_database() as a, current_schemas(false) as b",
    "SELECT set_config('bytea_output', 'hex', false) FROM pg_settings WHERE name = 'bytea_output'",
    "SELECT ARRAY['a']::text[], 1::bigint, $1::text",
    # catalog browsers
    "SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d "
    "ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname",
    "SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datname = $1",
    "SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, "
    "pg_catalog.pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN "
    "pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 WHERE c.relnamespace = $1 AND c.relkind NOT IN ('i', 'I', 'c')",
    "SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description "
    "FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad "
    "ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid) "
    "WHERE NOT a.attisdropped AND c.oid = $1 ORDER BY a.attnum",
    "select c.oid, pg_catalog.pg_total_relation_size(c.oid) as total_rel_size, pg_catalog.pg_relation_size(c.oid) as rel_size "
    "FROM pg_class c WHERE c.relnamespace = $1",
    "SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name FROM pg_catalog.pg_type t "
    "LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE t.typname IS NOT NULL",
    "SELECT p.oid as poid, p.*, pg_catalog.pg_get_expr(p.proargdefaults, 0) as arg_defaults FROM pg_catalog.pg_proc p WHERE p.pronamespace = $1",
    "SELECT a.oid, a.*, pd.description FROM pg_catalog.pg_roles a LEFT JOIN pg_catalog.pg_shdescription pd ON a.oid = pd.objoid ORDER BY a.rolname",
    "SELECT i.*, i.indkey as keys, c.relname, pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr FROM pg_catalog.pg_index i "
    "INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1",
    "SELECT c.oid, c.*, t.relname as tabrelname, pg_catalog.pg_get_constraintdef(c.oid) FROM pg_catalog.pg_constraint c "
    "INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid WHERE c.conrelid = $1",
    "SELECT x.oid, x.*, p.pronamespace as func_schema_id, pg_get_triggerdef(x.oid) FROM pg_catalog.pg_trigger x "
    "LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid = x.tgfoid WHERE x.tgrelid = $1 AND NOT x.tgisinternal",
    "SELECT DISTINCT dep.deptype, dep.classid, dep.objid, cl.relkind FROM pg_depend dep LEFT JOIN pg_class cl ON dep.objid = cl.oid WHERE dep.refobjid = $1",
    'select N.oid::bigint as id, N.xmin as state_number, nspname as name, D.description, pg_catalog.pg_get_userbyid(N.nspowner) as "owner" '
    "from pg_catalog.pg_namespace N left join pg_catalog.pg_description D on N.oid = D.objoid "
    "order by case when nspname = pg_catalog.current_schema() then -1::bigint else N.oid::bigint end",
    "select round(extract(epoch from pg_postmaster_start_time() at time zone 'UTC')) as startup_time",
    "select L.transactionid::varchar::bigint as transaction_id from pg_catalog.pg_locks L where L.transactionid is not null "
    "order by pg_catalog.age(L.transactionid) desc limit 1",
    "select case when pg_catalog.pg_is_in_recovery() then null else (pg_catalog.txid_current() % (2^32)::bigint)::varchar::bigint end",
    "select R.oid::bigint as role_id, rolname as role_name, rolsuper is_super, rolinherit is_inherit from pg_catalog.pg_roles R",
    "with schema_procs as (select prorettype, proargtypes, proallargtypes from pg_catalog.pg_proc where pronamespace = $1::oid), "
    "types as (select distinct unnest(proargtypes::oid[]) from schema_procs) select * from types",
    "select fdw.oid as id, fdw.xmin as state_number, fdw.fdwname as name from pg_catalog.pg_foreign_data_wrapper fdw",
    "SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' "
    "WHEN true THEN 'SYSTEM TABLE' WHEN false THEN CASE c.relkind WHEN 'r' THEN 'TABLE' ELSE NULL END END AS TABLE_TYPE "
    "FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relname LIKE '%' ORDER BY 2, 3",
    "SELECT * FROM (SELECT n.nspname, c.relname, a.attname, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum "
    "FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid)) c WHERE true",
    "SELECT result.TABLE_SCHEM, result.COLUMN_NAME FROM (SELECT n.nspname AS TABLE_SCHEM, a.attname AS COLUMN_NAME, "
    "(information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, (information_schema._pg_expandarray(i.indkey)).x AS x "
    "FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON "
    "(ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) WHERE i.indisprimary) result WHERE result.KEY_SEQ = 1",
    "with table_privileges as (select NULL as role, t.schemaname as schema, t.objectname as table, "
    "pg_catalog.has_any_column_privilege(current_user, '\"' || replace(t.schemaname, '\"', '\"\"') || '\"' || '.' || '\"' || "
    "replace(t.objectname, '\"', '\"\"') || '\"', 'update') as update from (select schemaname, tablename as objectname from pg_catalog.pg_tables "
    "union select schemaname, viewname as objectname from pg_views) t) select t.* from table_privileges t",
    'SELECT "public"."customers"."id" AS "id", "public"."customers"."name" AS "name" FROM "public"."customers" LIMIT 2000',
    'SELECT substring("public"."customers"."email", 1, 1234) AS "x" FROM "public"."customers" LIMIT 10000',
    'SELECT count(distinct "public"."customers"."country") FROM "public"."customers"',
    "SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, "
    "typ.typnotnull, CASE WHEN proc.proname = 'array_recv' THEN typ.typelem END AS elemtypoid FROM pg_type AS typ JOIN pg_proc AS proc ON "
    "proc.oid = typ.typreceive) AS t JOIN pg_namespace AS ns ON (ns.oid = typnamespace)",
    "SELECT 'session_stats' AS chart_name, pg_catalog.row_to_json(t) AS chart_data FROM (SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity) "
    "AS \"Total\", (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active') AS \"Active\") t",
    "SELECT db.oid as did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS serverencoding, "
    "has_database_privilege(db.oid, 'CREATE') as cancreate, datistemplate FROM pg_catalog.pg_database db WHERE db.datname = current_database()",
    "SELECT roles.oid as id, roles.rolname as name, roles.rolsuper as is_superuser, pg_catalog.pg_has_role(roles.oid, 'MEMBER') "
    "FROM pg_catalog.pg_roles as roles WHERE rolname = current_user",
    "SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid()",
    "SELECT extname, extversion FROM pg_extension",
    "SELECT relname, n_live_tup, last_analyze FROM pg_stat_user_tables",
]  # fmt: skip

CASES: list[Case] = [case("read", sql, level=Level.READ) for sql in _SENT]

#: What the same programs ask that a read grant does not give.
CASES += [
    case("read admin", sql, level=Level.READ)
    for sql in [
        "SELECT pid, datname, usename, state, query FROM pg_catalog.pg_stat_activity ORDER BY pid",
        "select oid as id, umserver as server_id, umoptions as options from pg_catalog.pg_user_mappings",
        "SELECT pg_catalog.pg_cancel_backend(1)",
    ]
]
