"""Code that runs: users' functions in every place of the syntax, the server's dangerous ones, files, programs."""

_PLACES = """
SELECT wipe()
SELECT * FROM wipe()
SELECT * FROM ROWS FROM (wipe(), generate_series(1, 2))
SELECT 1 FROM scratch WHERE wipe() = 1
SELECT 1 ORDER BY wipe()
SELECT count(*) FROM scratch GROUP BY wipe(id)
SELECT count(*) FROM scratch HAVING wipe() = 1
SELECT 1 LIMIT wipe()
SELECT 1 OFFSET wipe()
SELECT DISTINCT ON (wipe(id)) id FROM scratch
SELECT CASE WHEN wipe() = 1 THEN 1 END
SELECT coalesce(NULL, wipe())
SELECT nullif(wipe(), 1)
SELECT greatest(wipe(), 1)
SELECT ARRAY[wipe()]
SELECT (ARRAY[1, 2])[wipe()]
SELECT ROW(wipe(), 1)
SELECT (SELECT wipe())
SELECT 1 WHERE EXISTS (SELECT wipe())
SELECT 1 WHERE 1 IN (SELECT wipe())
SELECT 1 WHERE 1 = ANY (ARRAY[wipe()])
SELECT * FROM scratch s JOIN victims v ON s.id = wipe(v.id)
SELECT * FROM scratch, LATERAL wipe(id)
SELECT sum(wipe(id)) FROM scratch
SELECT sum(id) FILTER (WHERE wipe(id) > 0) FROM scratch
SELECT sum(id) OVER (PARTITION BY wipe(id)) FROM scratch
SELECT sum(id) OVER w FROM scratch WINDOW w AS (ORDER BY wipe(id))
SELECT sum(id) OVER (ROWS BETWEEN wipe() PRECEDING AND CURRENT ROW) FROM scratch
SELECT string_agg(value, ',' ORDER BY wipe(id)) FROM scratch
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY wipe(id)) FROM scratch
WITH x AS (SELECT wipe()) SELECT 1 FROM x
WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + wipe() FROM x WHERE n < 3) SELECT * FROM x
SELECT 1 UNION SELECT wipe()
VALUES (1), (wipe())
SELECT * FROM (VALUES (wipe())) v
SELECT format('%s', wipe())
SELECT wipe(id := 1)
SELECT wipe(VARIADIC ARRAY[1])
SELECT public.wipe()
SELECT "wipe"()
SELECT WIPE()
SELECT U&"\\\\0077ipe"()
SELECT xmlelement(name a, wipe())
SELECT JSON_OBJECT('a': wipe())
SELECT JSON_ARRAY(SELECT wipe())
SELECT JSON_VALUE(jsonb '{}', '$.a' DEFAULT wipe() ON EMPTY)
SELECT * FROM JSON_TABLE(jsonb '{}', '$' COLUMNS (a int PATH '$.a' DEFAULT wipe() ON EMPTY)) j
SELECT * FROM generate_series(1, wipe())
SELECT * FROM scratch TABLESAMPLE bernoulli (wipe())
SELECT extract(year FROM now()) + wipe()
SELECT 1 BETWEEN 0 AND wipe()
SELECT wipe()::text
SELECT wipe() IS NULL
SELECT -wipe()
SELECT grouping(wipe(id)) FROM scratch GROUP BY wipe(id)
EXPLAIN SELECT wipe()
EXPLAIN ANALYZE SELECT wipe()
EXPLAIN SELECT lies()
SELECT lies()
SELECT 1 WHERE lies() = 1
COPY (SELECT wipe()) TO STDOUT
SELECT total(id) FROM scratch
SELECT total(id) OVER () FROM scratch
SELECT 1 === 2
SELECT 1 OPERATOR(public.===) 2
SELECT 1 === ANY (ARRAY[1, 2])
SELECT 5::checked
SELECT CAST(5 AS checked)
SELECT checked '5'
SELECT 5::public.checked
SELECT '{5}'::checked[]
SELECT 5::token
SELECT CAST(5 AS token)
SELECT token(5)
SELECT json_populate_record(NULL::boxed, '{"d": 1}')
SELECT * FROM json_to_record('{"d": 1}') AS x(d checked)
SELECT c.shadow FROM customers c
SELECT (c).shadow FROM customers c
SELECT (c.*).shadow FROM customers c
SELECT customers.shadow FROM customers
SELECT (SELECT c FROM customers c LIMIT 1).shadow
SELECT 1 FROM customers c WHERE c.shadow IS NOT NULL
SELECT 1 FROM customers c ORDER BY c.shadow
SELECT shadow(c) FROM customers c
SELECT c.as_text FROM customers c
SELECT (rows_of()).*
SELECT * FROM rows_of()
SELECT leak(1)
SELECT * FROM trap
SELECT count(*) FROM deep_trap
SELECT n FROM (TABLE trap) t
SELECT id FROM guarded
CALL purge()
DO $$ BEGIN DELETE FROM victims; END $$
DO LANGUAGE plpgsql 'BEGIN PERFORM wipe(); END'
SELECT query_to_xml('DELETE FROM victims', true, true, '')
SELECT table_to_xml('victims', true, true, '')
SELECT database_to_xml(true, true, '')
SELECT schema_to_xml('public', true, true, '')
SELECT ts_stat('SELECT to_tsvector(email) FROM customers')
SELECT * FROM ts_stat($$SELECT to_tsvector(email) FROM customers$$)
SELECT ts_rewrite('a'::tsquery, 'SELECT a, b FROM x')
SELECT dblink('dbname=x', 'DELETE FROM victims')
SELECT dblink_exec('x', 'DELETE')
SELECT nothing_that_exists(1)
"""

CODE = {
    "functions": "\n".join(f"HH {one}" for one in _PLACES.strip().splitlines()),
    "attached": """
HH INSERT INTO defaulted (id) VALUES (1)
HH INSERT INTO constrained VALUES (1)
HH INSERT INTO indexed VALUES (1)
HH INSERT INTO domained VALUES (1, 1)
HH INSERT INTO generated (id) VALUES (1)
HH UPDATE indexed SET id = 2 WHERE id = 1
HH UPDATE guarded SET id = 2 WHERE id = 1
HH DELETE FROM guarded WHERE id = 1
HH INSERT INTO triggered VALUES (1)
DH INSERT INTO ruled VALUES (1)
HH COPY defaulted (id) FROM STDIN
HH MERGE INTO defaulted d USING scratch s ON d.id = s.id AND s.id = 1 WHEN NOT MATCHED THEN INSERT (id) VALUES (1)
HA DELETE FROM scratch WHERE id = 1
HA UPDATE scratch SET value = 'y' WHERE id = 2
HA INSERT INTO scratch VALUES (500, 'x')
HA DELETE FROM customers WHERE id = 19
""",
    "server functions": """
DD SELECT pg_read_file('postgresql.conf')
DD SELECT pg_read_binary_file('PG_VERSION')
DD SELECT * FROM pg_ls_dir('.')
DD SELECT pg_stat_file('PG_VERSION')
DD SELECT pg_ls_logdir()
DD SELECT lo_import('PG_VERSION')
DD SELECT lo_export(4242, 'attack_file')
DD SELECT lo_get(4242)
DD SELECT lo_open(4242, 131072)
DD SELECT loread(0, 100)
HA SELECT lo_create(0)
HA SELECT lo_from_bytea(0, 'x')
HA SELECT lo_put(4242, 0, 'x')
HA SELECT lo_unlink(4242)
HA SELECT lo_creat(-1)
DD SELECT pg_reload_conf()
DD SELECT pg_rotate_logfile()
DD SELECT pg_terminate_backend(pid) FROM pg_stat_activity
DD SELECT pg_cancel_backend(1)
DD SELECT pg_switch_wal()
DD SELECT pg_create_restore_point('x')
DD SELECT pg_create_logical_replication_slot('s', 'test_decoding')
DD SELECT pg_drop_replication_slot('s')
DD SELECT pg_stat_reset()
DD SELECT pg_promote()
DD SELECT pg_backup_start('x')
DD SELECT pg_import_system_collations('pg_catalog')
DD SELECT pg_log_backend_memory_contexts(1)
DD SELECT * FROM pg_hba_file_rules()
DD SELECT * FROM pg_show_all_file_settings()
DD SELECT pg_stat_get_backend_activity(1)
HA SELECT nextval('ids')
HA SELECT setval('ids', 900)
HA SELECT 1 FROM scratch WHERE nextval('ids') > 0
HA SELECT pg_notify('x', 'y')
HA NOTIFY x, 'y'
HA SELECT pg_advisory_lock(1)
HA SELECT pg_advisory_xact_lock(1)
HA SELECT pg_try_advisory_lock_shared(1, 2)
AA SELECT pg_advisory_unlock_all()
AA SELECT pg_sleep(0)
AA SELECT pg_size_pretty(pg_total_relation_size('scratch'))
AA SELECT currval('ids')
AA SELECT last_value FROM ids
""",
    "files and programs": """
DD COPY scratch TO 'attack_file'
DD COPY scratch FROM 'attack_file'
DD COPY scratch TO PROGRAM 'touch attack_file'
DD COPY (SELECT 1) TO PROGRAM 'touch attack_file'
DD COPY scratch FROM PROGRAM 'echo 1'
AA COPY scratch TO STDOUT
HA COPY scratch FROM STDIN
DD COPY pg_authid TO STDOUT
DD COPY (SELECT rolpassword FROM pg_authid) TO STDOUT
AA COPY scratch TO STDOUT (FORMAT binary)
DD COPY scratch TO STDOUT (ENCODING 'latin1')
DD LOAD 'plpgsql'
DD CREATE EXTENSION IF NOT EXISTS vector
DD CREATE SERVER s FOREIGN DATA WRAPPER f
DD CREATE USER MAPPING FOR CURRENT_USER SERVER s
DD IMPORT FOREIGN SCHEMA x FROM SERVER s INTO public
DD CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p
DD CREATE PUBLICATION p FOR ALL TABLES
DD CREATE TABLESPACE t LOCATION '/x'
DD ALTER SYSTEM SET work_mem = '1MB'
DD CHECKPOINT
DD REINDEX SYSTEM x ;; CREATE LANGUAGE plx
""",
    "definitions": """
DH CREATE TABLE t (id int)
DH CREATE TEMP TABLE t (id int)
DH CREATE UNLOGGED TABLE t AS SELECT 1
DH SELECT 1 INTO t
DH SELECT 1 INTO TEMP t
DH SELECT * INTO t FROM (SELECT 1) x
DH CREATE VIEW v AS SELECT 1
DH CREATE OR REPLACE VIEW innocent AS SELECT id, email AS name FROM customers
DH CREATE TEMP VIEW scratch AS SELECT id, email AS value FROM customers
DH CREATE MATERIALIZED VIEW v AS SELECT 1
DH REFRESH MATERIALIZED VIEW frozen
DH CREATE INDEX ON victims (id)
DH CREATE SEQUENCE s
DH ALTER SEQUENCE ids RESTART
DH CREATE SCHEMA s
DH CREATE TYPE t AS (a int)
DH CREATE DOMAIN d AS int
DH COMMENT ON TABLE victims IS 'x'
DH ALTER TABLE victims RENAME TO v
DH ALTER TABLE customers RENAME email TO mail
DH CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'
DD CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'
DH CREATE PROCEDURE f() LANGUAGE sql AS 'DELETE FROM victims'
DH CREATE TRIGGER t2 BEFORE INSERT ON scratch FOR EACH ROW EXECUTE FUNCTION fired()
DH CREATE RULE r AS ON INSERT TO scratch DO ALSO SELECT 1
DH CREATE RULE "_RETURN" AS ON SELECT TO ruled DO INSTEAD SELECT wipe() AS id
DD CREATE POLICY p2 ON scratch USING (true)
DD CREATE CAST (text AS int) WITH INOUT
DD CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION fired()
DD ALTER TABLE victims DISABLE TRIGGER ALL
DD ALTER TABLE victims OWNER TO CURRENT_USER
DD ALTER TABLE guarded DISABLE ROW LEVEL SECURITY
DH VACUUM victims
DH ANALYZE victims
DH CLUSTER victims
DH REINDEX TABLE victims
""",
    "roles": """
DD CREATE ROLE attacker SUPERUSER
DD ALTER ROLE postgres PASSWORD 'x'
DD ALTER ROLE postgres SET search_path = evil
DD ALTER DATABASE postgres SET default_transaction_read_only = off
DD GRANT ALL ON customers TO PUBLIC
DD REVOKE ALL ON customers FROM PUBLIC
DD GRANT postgres TO attacker
DD ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC
DD REASSIGN OWNED BY postgres TO attacker
DD SET ROLE pg_monitor
DD SET SESSION AUTHORIZATION nobody
DD SET LOCAL ROLE pg_read_all_data
DD SELECT set_config('role', 'pg_monitor', false)
AA RESET ROLE
AA SET SESSION AUTHORIZATION DEFAULT
DD SECURITY LABEL ON TABLE victims IS 'x'
DD DROP ROLE IF EXISTS attacker
""",
    "catalogs": """
DD SELECT * FROM pg_authid
DD SELECT rolpassword FROM pg_catalog.pg_authid
DD TABLE pg_shadow
DD SELECT passwd FROM pg_shadow
DD SELECT * FROM pg_statistic
DD SELECT * FROM pg_stats
DD SELECT most_common_vals FROM pg_stats
DD SELECT s FROM pg_stats s
DD SELECT row_to_json(s) FROM pg_stats s
DD SELECT histogram_bounds::text FROM pg_stats WHERE tablename = 'customers'
DD WITH a AS (TABLE pg_stats) SELECT * FROM a
DD SELECT x.b FROM pg_stats AS x(a, b)
DD SELECT * FROM stats
DD SELECT h FROM stats
DD SELECT query FROM pg_stat_activity
DD SELECT * FROM pg_stat_activity
DD SELECT to_jsonb(a) FROM pg_stat_activity a
DD SELECT * FROM pg_stat_get_activity(NULL)
DD SELECT * FROM pg_largeobject
DD SELECT data FROM pg_largeobject WHERE loid = 4242
DD SELECT * FROM pg_user_mapping
DD SELECT umoptions FROM pg_user_mappings
DD SELECT * FROM pg_hba_file_rules
DD SELECT * FROM pg_file_settings
DD SELECT * FROM pg_backend_memory_contexts
DD UPDATE pg_settings SET setting = 'off' WHERE name = 'default_transaction_read_only'
DD UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'
DD UPDATE pg_class SET relname = 'x' WHERE relname = 'victims'
DD DELETE FROM pg_proc
DD INSERT INTO pg_authid (rolname) VALUES ('x')
DD SHOW primary_conninfo
DD SELECT current_setting('primary_conninfo')
DD SHOW myapp.secret
HH SELECT current_setting('primary_' || 'conninfo')
AA SELECT relname FROM pg_class
AA SELECT tablename, n_distinct FROM pg_stats
AA SELECT pid, state FROM pg_stat_activity
AA SELECT table_name FROM information_schema.tables
AA SELECT rolname FROM pg_roles
""",
}
