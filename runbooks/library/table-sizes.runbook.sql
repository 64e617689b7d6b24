---
title: Table sizes
description: The largest tables with their indexes and estimated rows.
timeout: 1m
parameters:
  most:
    type: integer
    min: 1
    max: 100
    default: 20
---
SELECT n.nspname AS schema,
       c.relname AS "table",
       pg_size_pretty(pg_total_relation_size(c.oid)) AS total,
       pg_size_pretty(pg_relation_size(c.oid)) AS rows_only,
       c.reltuples::bigint AS about_rows
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY pg_total_relation_size(c.oid) DESC
LIMIT {{ .most }}
