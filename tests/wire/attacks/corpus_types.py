"""Code behind types that no text names: values that become a column's type, calls written like attributes of values."""

TYPES = {
    "implied types": """
HH SELECT coalesce(b, '(1)') FROM holder
HH SELECT CASE WHEN true THEN '(1)' ELSE b END FROM holder
HH SELECT ARRAY[b, '(1)'] FROM holder
HH SELECT b FROM holder UNION SELECT '(1)'
HH SELECT '(1)' UNION ALL SELECT b FROM holder
HH SELECT greatest(b, '(1)') FROM holder
HH VALUES ((SELECT b FROM holder)), ('(1)')
HH SELECT jsonb_populate_record(h.b, '{"d": 3}') FROM holder h
HH SELECT jsonb_populate_record(h, '{"d": 3}') FROM domained h
HH SELECT json_populate_record(h, '{"d": 3}') FROM domained h
HH SELECT * FROM jsonb_populate_recordset((SELECT h FROM domained h LIMIT 1), '[{"d": 3}]')
HH SELECT array_append(array_agg(d), '5') FROM domained
HH SELECT array_remove(array_agg(d), '9') FROM domained
HH SELECT array_replace(ARRAY[d], '1', '5') FROM domained
HH SELECT array_position(ARRAY[d], '5') FROM domained
HH SELECT array_cat(ARRAY[d], '{5}') FROM domained
HH SELECT array_agg(d) || '{5}' FROM domained
HH SELECT lag(d, 1, '5') OVER () FROM domained
HH SELECT lead(d, 1, '5') OVER (ORDER BY id) FROM domained
HH WITH x AS (SELECT d FROM domained) SELECT lag(d, 1, '5') OVER () FROM x
HH DELETE FROM scratch USING domained WHERE scratch.id = 1 AND array_position(ARRAY[d], '5') > 0
HH SELECT pg_input_is_valid('5', 'checked')
HH SELECT * FROM pg_input_error_info('5', 'checked')
HH PREPARE a AS SELECT lag(d, 1, $1) OVER () FROM domained ;; EXECUTE a('5')
DD PREPARE a(checked) AS SELECT $1
DD PREPARE a(checked) AS SELECT $1 ;; EXECUTE a(3)
DD PREPARE a(checked[]) AS SELECT $1
DD PREPARE a(boxed) AS SELECT $1
AA PREPARE a(int) AS SELECT $1 ;; EXECUTE a(3)
AA SELECT d FROM domained
AA SELECT count(*), max(d) FROM domained WHERE d = '5' OR d IN ('6', '7')
AA SELECT h.* FROM holder h LIMIT 1
""",
    "attached to values": """
HH SELECT (scratch.id).wipe FROM scratch
HH SELECT (scratch.value).wipe FROM scratch
HH SELECT (1).wipe
HH SELECT ((SELECT id FROM scratch LIMIT 1)).wipe
HH SELECT (ARRAY[1])[1].wipe
HH SELECT ((ARRAY[1])[1]).wipe
HH SELECT v.wipe FROM generate_series(1, 1) AS v
HH SELECT generate_series.wipe FROM generate_series(1, 1)
HH SELECT t.wipe FROM unnest(ARRAY[1]) AS t
HH SELECT g FROM generate_series(1, 1) g WHERE g.wipe = 1
HH SELECT g FROM generate_series(1, 1) g ORDER BY g.wipe
HH SELECT g.lies FROM generate_series(1, 1) g
HH SELECT s.g.wipe FROM generate_series(1, 1) g
HH SELECT 1 FROM scratch, LATERAL generate_series(1, id) g WHERE g.wipe = 1
HH SELECT ('DELETE FROM victims'::text).wipe
HH SELECT (1).leak
DD SELECT ('/etc/passwd'::text).pg_read_file
DD SELECT (1).pg_terminate_backend
DD SELECT f.pg_read_file FROM concat('/etc/', 'passwd') f
HA SELECT ('ids'::regclass).nextval
AA SELECT g.abs FROM generate_series(1, 1) g
AA SELECT (5).abs
""",
}
