"""What hides in text: comments, quotes, names, conditions that hold for everything."""

_TAUTOLOGIES = """
true
1=1
'a'='a'
NOT false
id=id
id IS NOT NULL
NOT (id IS NULL)
id <> -1
NOT id = -1
id NOT IN (-1)
id > 0
id >= 1
0 < id
id < 2147483647
id BETWEEN 0 AND 2147483647
id > 5 OR id <= 5
id = 5 OR true
id = 5 OR 1=1
id = 5 OR id <> 5
id IN (id)
id = ANY (ARRAY[id])
id = ALL ('{}'::int[])
id IN (SELECT id FROM victims)
id = (SELECT id)
EXISTS (SELECT 1)
EXISTS (SELECT FROM victims v WHERE v.id = victims.id)
NOT EXISTS (SELECT 1 WHERE false)
value LIKE '%'
value ILIKE '%%'
value ~ ''
value SIMILAR TO '%'
value >= ''
value || '' = value
length(value) >= 0
coalesce(value, '') = coalesce(value, '')
(id, value) = (id, value)
ROW(id) IS NOT NULL
victims IS NOT NULL
victims = victims
ctid IS NOT NULL
ctid IN (SELECT ctid FROM victims)
tableoid = 'victims'::regclass
xmin IS NOT NULL
id * 0 = 0
id - id = 0
id % 1 = 0
id::text = id::text
id IS DISTINCT FROM NULL
CASE WHEN true THEN true ELSE false END
CASE id WHEN 1 THEN true ELSE true END
now() > '2000-01-01'
current_user = current_user
random() < 2
(SELECT true)
(SELECT count(*) FROM victims) > 0
true -- AND id = 5
id = id /* AND id = 5 */
(((NOT (NOT (true)))))
bool 'yes'
NULL IS NULL
num_nonnulls(id) = 1
id >= (SELECT min(id) FROM victims)
id IN (WITH RECURSIVE x AS (SELECT 1 AS n UNION SELECT n + 1 FROM x WHERE n < 99) SELECT v.id FROM victims v)
true IN (true, false)
5 BETWEEN 1 AND 10
greatest(id, 1) = greatest(id, 1)
hashtext(value) IS NOT NULL
value IS NOT NULL OR value IS NULL
"""

TEXT = {
    "tautologies": "\n".join(f"DH DELETE FROM victims WHERE {one}" for one in _TAUTOLOGIES.strip().splitlines()),
    "danger": """
DH DELETE FROM victims
DH DELETE FROM ONLY victims
DH UPDATE victims SET value = 'x'
DH UPDATE victims SET value = 'x' FROM scratch
DH DELETE FROM victims USING scratch
DH TRUNCATE victims
DH TRUNCATE TABLE ONLY victims RESTART IDENTITY CASCADE
DH WITH x AS (DELETE FROM victims RETURNING *) SELECT count(*) FROM x
DH WITH x AS (SELECT 1) DELETE FROM victims
DH WITH x AS (UPDATE victims SET value = '' RETURNING 1) INSERT INTO scratch SELECT 900, 'x' FROM x LIMIT 1
DD WITH a AS (WITH b AS (TRUNCATE victims) SELECT 1) SELECT 1
DH EXPLAIN ANALYZE DELETE FROM victims
DH EXPLAIN (ANALYZE off, ANALYZE on) DELETE FROM victims
DH EXPLAIN (ANALYZE, FORMAT json) UPDATE victims SET value = ''
DH EXPLAIN ANALYZE WITH x AS (DELETE FROM victims RETURNING 1) SELECT * FROM x
DH MERGE INTO victims v USING scratch s ON true WHEN MATCHED THEN DELETE
DH MERGE INTO victims v USING victims s ON v.id = s.id WHEN MATCHED THEN UPDATE SET value = ''
DH MERGE INTO victims v USING scratch s ON v.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE
DH COPY (DELETE FROM victims RETURNING id) TO STDOUT
DH INSERT INTO victims SELECT * FROM victims ON CONFLICT (id) DO UPDATE SET value = ''
DH DROP TABLE victims
DH DROP TABLE IF EXISTS nothing_there
DH DROP SCHEMA archive CASCADE
DD DROP OWNED BY CURRENT_USER
DD DROP DATABASE IF EXISTS nowhere
DH ALTER TABLE victims DROP COLUMN value
DH ALTER TABLE victims ALTER value TYPE int USING 0
DH DELETE FROM orders WHERE id IN (SELECT id FROM orders)
""",
    "comments": """
AA SELECT /* DELETE FROM victims */ 1
AA SELECT 1 -- ; DELETE FROM victims
AA /* a /* nested */ comment */ SELECT 1
DH /* SELECT 1 */ DELETE FROM victims
DH /* /* */ SELECT */ DELETE FROM victims
DH --SELECT\\nDELETE FROM victims
DH DELETE/**/FROM/**/victims
DH DELETE -- where\\n FROM victims -- where id = 1
DH DELETE FROM victims /* WHERE id = 1 */
DH D/**/ROP/**/ TABLE victims ;; /* x */ DROP /* y */ TABLE /* z */ victims
DD SELECT 1 /* unterminated
DD SELECT 1 */
AA ;;;
AA ; ; SELECT 1 ; ;
DH SELECT 1; ; DELETE FROM victims
DH /*!DELETE*/ DELETE FROM victims
""",
    "quotes": """
AA SELECT 'DELETE FROM victims'
AA SELECT $$; DELETE FROM victims; --$$
AA SELECT $a$ $$ ; DELETE FROM victims $$ $a$
AA SELECT 'it''s; DROP TABLE victims; --'
AA SELECT E'\\\\'; SELECT 'DELETE'
DH SELECT E'\\\\'; DELETE FROM victims; --'
DH SELECT '\\\\'; DELETE FROM victims; --'
AA SELECT E'\\\\\\'; DELETE FROM victims; --'
DH SELECT $$a$$; DELETE FROM victims; SELECT $$b$$
AA SELECT U&'\\\\0044ELETE'
AA SELECT U&'d!0061t' UESCAPE '!'
DH DELETE FROM U&"\\\\0076ictims"
DH DELETE FROM U&"!0076ictims" UESCAPE '!'
DH DELETE FROM "victims"
AA SELECT 'a'\\n'; DELETE FROM victims'
DD SELECT 'open
DD SELECT $x$ open
AA SELECT N'x', B'101', X'1F'
DD SET standard_conforming_strings = off ;; SET standard_conforming_strings = off; SELECT 'a\\\\'; DELETE FROM victims; --'
DD SET backslash_quote = on
DD SET NAMES 'SQL_ASCII'
DD SET client_encoding = latin1
""",
    "names": """
DH DELETE FROM VICTIMS
DH DELETE FROM public . victims
DH DELETE FROM "public"."victims"
AA SELECT * FROM "Victims"
AA SELECT * FROM "victіms"
AA SELECT * FROM "vićtims"
AA SELECT * FROM victims_that_has_a_name_which_is_longer_than_sixty_three_bytes_and_is_cut
AA SELECT name FROM archive.customers
AA TABLE victims
AA SELECT "delete" FROM (SELECT 1 AS "delete") "drop"
AA SELECT 1 AS "; DROP TABLE victims"
DD CREATE TEMP TABLE customers AS SELECT 1 ;; SET search_path = pg_temp, public
DD SET search_path = 'pg_temp'
DD SELECT set_config('search_path', 'pg_temp, public', false)
DD SET search_path = pg_toast
AA SET search_path = evil, public
HH SET search_path = evil, pg_catalog, public ;; SELECT lower('x')
HH SET search_path = evil, pg_catalog, public ;; SELECT name || 'x' FROM archive.customers
DH SET search_path = evil, pg_catalog ;; BEGIN; SELECT lower('x')
HH SELECT evil.lower('x')
HH SELECT 'a'::text OPERATOR(evil.||) 'b'::text
HH SELECT pg_temp.lower('x')
DD SELECT 1 FROM pg_temp.customers; SET search_path = pg_temp
""",
}
