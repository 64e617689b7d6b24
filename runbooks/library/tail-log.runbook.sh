---
title: Tail a log
description: The last lines of a log file, all of them or those with a text.
timeout: 1m
parameters:
  file:
    pattern: "/var/log(/[A-Za-z0-9][A-Za-z0-9._-]*)+|(/\\.?[A-Za-z0-9][A-Za-z0-9._-]*)+\\.log"
    description: A file below /var/log, or one whose name ends in .log.
    example: /var/log/nginx/error.log
  lines: {type: integer, min: 1, max: 10000, default: 200, description: How many lines are looked at.}
  contains: {required: false, max_length: 200, description: "Only lines with this text, letter by letter."}
---
tail -n {{ .lines }} -- {{ .file }} | { grep -F -- {{ .contains }} || test $? -eq 1; }
