---
title: Who blocks whom
description: Sessions that wait for a lock, and which sessions hold it.
timeout: 30s
documentation: |
  Read from bottom to top: `blocked_by` are the process ids to look at. To end one, run library/kill-backend.
---
SELECT waiting.pid,
       waiting.usename,
       waiting.state,
       waiting.wait_event_type,
       array_to_string(pg_blocking_pids(waiting.pid), ', ') AS blocked_by,
       date_trunc('second', now() - waiting.query_start) AS waits_for
FROM pg_stat_activity AS waiting
WHERE cardinality(pg_blocking_pids(waiting.pid)) > 0
ORDER BY waiting.query_start
