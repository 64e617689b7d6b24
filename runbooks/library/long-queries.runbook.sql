---
title: Long queries
description: Statements that have been running for longer than some minutes.
timeout: 30s
parameters:
  minutes:
    type: integer
    min: 0
    max: 10080
    default: 5
    description: Only what has run for longer than this many minutes.
---
SELECT pid,
       usename,
       state,
       date_trunc('second', now() - query_start) AS runs_for,
       wait_event_type
FROM pg_stat_activity
WHERE state <> 'idle'
  AND pid <> pg_backend_pid()
  AND now() - query_start > make_interval(mins => {{ .minutes }})
ORDER BY query_start
LIMIT 50
