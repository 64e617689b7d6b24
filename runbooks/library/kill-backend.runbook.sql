---
title: Kill a backend
description: End one session of the database server.
timeout: 30s
lock: "kill {{ .pid }}"
parameters:
  pid:
    type: integer
    min: 1
    description: The process id, as library/long-queries or library/who-blocks-whom shows it.
documentation: |
  The dry run shows whose session it is. Its transaction is rolled back.
  The role of the gateway must be a member of pg_signal_backend, or of the role whose session it is.
---
-- dry run: Whose session is it
SELECT pid, usename, datname, application_name, state, date_trunc('second', now() - backend_start) AS connected_for
FROM pg_stat_activity
WHERE pid = {{ .pid }}

-- step: End the session
SELECT pg_terminate_backend({{ .pid }}) AS ended
