---
title: Restart a service
description: Restart a systemd service and check that it is healthy afterwards.
timeout: 3m
lock: "service {{ .service }}"
parameters:
  service:
    pattern: "[A-Za-z0-9][A-Za-z0-9@._-]{0,99}"
    description: The unit, as systemctl knows it.
    example: nginx.service
  health:
    type: url
    required: false
    description: An address that answers with success when it is healthy again, as the host itself reaches it.
    example: http://127.0.0.1:8080/healthz
documentation: |
  Needs sudo without a password for `systemctl restart`. The dry run shows how it is doing now.
  Without a health address the check is that systemd says **active** twice, two seconds apart.
---
# dry run: How it is doing
systemctl show --property=ActiveState,SubState,ActiveEnterTimestamp,NRestarts -- {{ .service }}

# step: Restart it
sudo -n systemctl restart -- {{ .service }}

# step: It stays active
systemctl is-active -- {{ .service }} && sleep 2 && systemctl is-active -- {{ .service }}

# step: It answers
{{ .health | asenv "HEALTH" }}
test -z "$HEALTH" || curl --silent --show-error --fail --output /dev/null --max-time 5 --retry 6 --retry-delay 2 --retry-connrefused -- "$HEALTH"
