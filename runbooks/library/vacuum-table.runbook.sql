---
title: Vacuum one table
description: Make the space of deleted rows usable again and refresh the statistics.
timeout: 2h
lock: "maintenance {{ .table }}"
parameters:
  table:
    type: table
    example: orders
documentation: |
  Reads and writes go on meanwhile. It is not VACUUM FULL, which would lock the table.
---
-- step: Vacuum and analyze
VACUUM (ANALYZE) {{ .table }}
