---
title: Analyze one table
description: Refresh the planner's statistics of one table.
timeout: 30m
lock: "maintenance {{ .table }}"
parameters:
  table:
    type: table
    example: orders
documentation: |
  The role of the gateway must own the table, or hold MAINTAIN on it.
---
-- step: Analyze
ANALYZE {{ .table }}
