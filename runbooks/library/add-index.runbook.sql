---
title: Add an index
description: Add an index to a table without blocking its writers, and check that it is valid.
timeout: 2h
lock: "maintenance {{ .table }}"
parameters:
  table:
    type: table
    example: orders
  column:
    type: name
    description: One column of it.
  name:
    type: name
    description: The new index, such as orders_status_idx.
documentation: |
  CONCURRENTLY waits for older transactions. When it fails it leaves an INVALID index: roll back and look for long queries.
---
-- dry run: What indexes it has
SELECT indexrelid::regclass::text AS index, indisvalid AS valid, pg_size_pretty(pg_relation_size(indexrelid)) AS size
FROM pg_index
WHERE indrelid = to_regclass({{ .table | squote }})

-- step: Create it without blocking writers
CREATE INDEX CONCURRENTLY {{ .name }} ON {{ .table }} ({{ .column }})

-- step: Check that it is valid
SELECT indexrelid::regclass::text AS index, indisvalid AS valid FROM pg_index WHERE indrelid = to_regclass({{ .table | squote }})

-- rollback: Drop it without blocking writers
DROP INDEX CONCURRENTLY IF EXISTS {{ .name }}
