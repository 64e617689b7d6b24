---
title: Rotate a log
description: Keep a copy of a log file and empty it, for a disk that is full. The process that writes it goes on.
timeout: 5m
lock: "log {{ .file }}"
parameters:
  file:
    pattern: "/var/log(/[A-Za-z0-9][A-Za-z0-9._-]*)+|(/\\.?[A-Za-z0-9][A-Za-z0-9._-]*)+\\.log"
    description: A file below /var/log, or one whose name ends in .log.
    example: /var/log/nginx/access.log
documentation: |
  The copy is compressed beside the file and named by the time, so nothing is overwritten. Lines that are written between
  the copy and the emptying are lost: use *logrotate* with your service's own signal where that matters.
---
# dry run: How large it is
ls -l -- {{ .file }}
df -h -- {{ .file }}

# step: Keep a copy
{{ .file | asenv "LOG" }}
set -C; gzip -c -- "$LOG" > "$LOG.$(date -u +%Y%m%dT%H%M%SZ).gz"

# step: Empty it
truncate --size 0 -- {{ .file }}

# step: What is there now
ls -l -- {{ .file }}
df -h -- {{ .file }}
