"""What changes the session: settings, transactions, names, locks."""

SESSION = {
    "settings": """
DA SET default_transaction_read_only = off
DA SET default_transaction_read_only = false
DA SET default_transaction_read_only TO 'of'
DA SET SESSION default_transaction_read_only = 0
DA SET LOCAL transaction_read_only = off
DA SET "transaction_read_only" = 'f'
DA SET TRANSACTION_READ_ONLY TO NO
DA SELECT set_config('transaction_read_only', 'off', false)
DA SELECT set_config('default_transaction_read_only', 'off', false)
DA SELECT pg_catalog.set_config('DEFAULT_TRANSACTION_READ_ONLY', 'off', true)
DA SELECT "set_config"('transaction_read_only', 'off', true) FROM scratch LIMIT 1
DD SELECT set_config('transaction_' || 'read_only', 'off', false)
DD SELECT set_config(value, 'off', false) FROM scratch
DD SELECT set_config(setting_name := 'transaction_read_only', new_value := 'off', is_local := false)
DD SELECT set_config(VARIADIC ARRAY['transaction_read_only', 'off', 'f'])
DD SELECT set_config('application_name', email, false) FROM customers
DD SELECT set_config('search_path', 'evil', false) FROM scratch WHERE id = 1
DD WITH x AS (SELECT set_config('search_path', 'evil', false)) SELECT * FROM x
DD SELECT set_config('standard_conforming_strings', 'off', false)
DD SELECT 1 ORDER BY set_config('search_path', 'evil', false)
DD EXPLAIN ANALYZE SELECT set_config('search_path', 'evil', false)
DD SET session_replication_role = replica
DD SET local_preload_libraries = 'x'
DD SET session_preload_libraries = 'x'
DD SET dynamic_library_path = '/x'
DD SET log_statement = 'none'
DD SET lc_messages = 'C' ;; SET allow_system_table_mods = on
DD SET zero_damaged_pages = on
DD SET ignore_checksum_failure = on
DD SET my.setting = 'x'
DD ALTER SYSTEM RESET ALL
AA RESET ALL
AA RESET default_transaction_read_only
AA SET default_transaction_read_only = on
AA SET default_transaction_read_only TO DEFAULT
AA DISCARD ALL
AA SET TIME ZONE 'UTC'
AA SET work_mem = '4MB'
AA SET application_name = 'x'
""",
    "read only": """
DA BEGIN READ WRITE
DA START TRANSACTION READ WRITE
DA BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE
DA BEGIN READ ONLY, READ WRITE
DA SET TRANSACTION READ WRITE
DA BEGIN ;; SET TRANSACTION READ WRITE
DA BEGIN; SET TRANSACTION READ WRITE
DA SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
DA SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE
DA BEGIN ;; SAVEPOINT s ;; SET LOCAL transaction_read_only = off
DA BEGIN ;; COMMIT AND CHAIN ;; SET TRANSACTION READ WRITE
DA BEGIN ;; ROLLBACK AND CHAIN ;; SET TRANSACTION READ WRITE
DA COMMIT; BEGIN READ WRITE
DH ROLLBACK; DELETE FROM victims
DH COMMIT; DELETE FROM victims
DH SELECT 1; COMMIT; DELETE FROM victims; BEGIN
DH BEGIN; SELECT 1; COMMIT; TRUNCATE victims
DH DISCARD ALL ;; DELETE FROM victims
DH RESET ALL ;; DELETE FROM victims
HA RESET ALL ;; DELETE FROM victims WHERE id = 3
AA BEGIN READ ONLY
AA BEGIN ;; SET TRANSACTION READ ONLY
AA BEGIN; SELECT 1; COMMIT
AA BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY, DEFERRABLE
DD PREPARE TRANSACTION 'x'
DD COMMIT PREPARED 'x'
""",
    "prepared and cursors": """
AA PREPARE p AS DELETE FROM victims
DH PREPARE p AS DELETE FROM victims ;; EXECUTE p
DH PREPARE p AS DELETE FROM victims; EXECUTE p
DH PREPARE p AS SELECT 1; DEALLOCATE p; PREPARE p AS DELETE FROM victims; EXECUTE p
DH PREPARE p(int) AS DELETE FROM victims WHERE id > $1 OR true ;; EXECUTE p(1)
DH PREPARE p AS SELECT 1 ;; DEALLOCATE p ;; PREPARE p AS TRUNCATE victims ;; PREPARE p AS DELETE FROM victims ;; EXECUTE p
HA PREPARE p AS DELETE FROM victims WHERE id = 4 ;; EXECUTE p
HH PREPARE p AS SELECT wipe() ;; EXECUTE p
HH PREPARE p(int) AS SELECT $1 ;; EXECUTE p(wipe())
DD EXECUTE nobody_prepared_this
DH PREPARE p AS DELETE FROM victims ;; EXPLAIN ANALYZE EXECUTE p
DH PREPARE p AS SELECT 1 AS one ;; CREATE TABLE t AS EXECUTE p
AA PREPARE p AS SELECT 1 ;; EXECUTE p ;; DEALLOCATE ALL
DH BEGIN ;; DECLARE c CURSOR FOR SELECT wipe()
DH DECLARE c CURSOR WITH HOLD FOR SELECT wipe(id) FROM scratch
DA BEGIN ;; DECLARE c CURSOR FOR SELECT * FROM scratch FOR UPDATE
DA BEGIN ;; DECLARE c CURSOR FOR SELECT * FROM victims WHERE id = 5 ;; FETCH c ;; DELETE FROM victims WHERE CURRENT OF c
AA BEGIN ;; DECLARE c SCROLL CURSOR FOR SELECT * FROM scratch ;; FETCH 2 FROM c
AA BEGIN ;; DECLARE c CURSOR FOR SELECT 1 ;; MOVE c
DH BEGIN ;; FETCH ALL FROM nobody_opened_this
HH SELECT * FROM cursor_to_xml('c', 1, true, true, '')
""",
    "locks": """
HA SELECT * FROM victims WHERE id = 1 FOR UPDATE
HA SELECT * FROM victims FOR SHARE
HA SELECT * FROM victims FOR KEY SHARE SKIP LOCKED
HA SELECT * FROM (SELECT * FROM victims FOR UPDATE) x
HA WITH x AS (SELECT * FROM victims FOR NO KEY UPDATE) SELECT 1 FROM x
DA BEGIN ;; LOCK TABLE victims
DA BEGIN ;; LOCK TABLE victims IN ROW SHARE MODE
DA BEGIN ;; LOCK victims IN EXCLUSIVE MODE NOWAIT
AA BEGIN ;; LOCK TABLE victims IN ACCESS SHARE MODE
""",
    "copies of secrets": """
DH INSERT INTO scratch SELECT 901, email FROM customers WHERE id = 1
DH INSERT INTO scratch SELECT 901, reverse(email) FROM customers WHERE id = 1
DH INSERT INTO scratch VALUES (901, (SELECT email FROM customers WHERE id = 1))
DH UPDATE scratch SET value = email FROM customers WHERE scratch.id = 1 AND customers.id = 1
DH UPDATE scratch SET value = (SELECT ssn FROM customers WHERE id = 1) WHERE id = 1
DH UPDATE customers SET note = email WHERE id = 1
DH UPDATE customers SET name = upper(ssn) WHERE id = 1
DH MERGE INTO scratch s USING customers c ON s.id = c.id AND c.id = 1 WHEN MATCHED THEN UPDATE SET value = c.email
DH WITH x AS (SELECT email FROM customers WHERE id = 1) INSERT INTO scratch SELECT 901, email FROM x
DH INSERT INTO scratch VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET value = (SELECT email FROM customers WHERE id = 1)
DH CREATE TABLE t AS SELECT email FROM customers
DH SELECT email INTO t FROM customers
DH CREATE TEMP TABLE t AS SELECT * FROM customers
DH INSERT INTO scratch SELECT 901, reach FROM contacts WHERE id = 1
DH INSERT INTO scratch SELECT 901, row_to_json(c)::text FROM customers c WHERE id = 1
HA UPDATE customers SET email = lower(email) WHERE id = 1
""",
    "unreadable": """
DD SELEC 1
DD SELECT 1; SELEC 2
DD DELETE FROM victims; SELEC
DD BASE_BACKUP
DD IDENTIFY_SYSTEM
DD START_REPLICATION SLOT x LOGICAL 0/0
DD \\\\copy x from y
DD EXEC xp_cmdshell
DD SHOW TABLES; DROP DATABASE x --
""",
}
