"""The one service of the demo's web server, and what it is controlled by.

A sample host has no systemd of its own and nobody's sudo, so it has two small programs that take the words of the real ones for
that one service: a web server with a health page, which is really stopped and started.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

NAME = "shop.service"
HEALTH = "healthz"

_SYSTEMCTL = """#!/bin/sh
# What this sample host has instead of systemd: show, is-active, status and restart of {name}.
here={here}
verb=$1
shift
for word; do case $word in -*) ;; *) unit=$word ;; esac; done
if [ "$unit" != {name} ] && [ "$unit.service" != {name} ]; then
    echo "Unit $unit could not be found." >&2
    exit 4
fi
pid=$(cat "$here/service.pid" 2>/dev/null)
state=inactive
if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then state=active; fi
case $verb in
    show) echo "ActiveState=$state"; echo "MainPID=$pid"; echo "NRestarts=$(cat "$here/restarts" 2>/dev/null || echo 0)" ;;
    is-active | status) echo "$state"; [ "$state" = active ] || exit 3 ;;
    restart)
        [ "$state" = active ] && kill "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
        echo $(($(cat "$here/restarts" 2>/dev/null || echo 0) + 1)) > "$here/restarts"
        echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) service restarted" >> "$here/shop.log"
        nohup {python} -m http.server {port} --bind 127.0.0.1 --directory "$here/public" > /dev/null 2>&1 < /dev/null &
        echo $! > "$here/service.pid"
        ;;
    *) echo "systemctl $verb is not possible on this sample host." >&2; exit 1 ;;
esac
"""
_SUDO = '#!/bin/sh\n# The account of this sample host is the only one there is.\n[ "$1" = -n ] && shift\nexec "$@"\n'


def install(folder: Path, port: int) -> Path:
    """Write the programs and start the service on a port of loopback; the folder that belongs into the PATH."""
    tools, public = folder / "bin", folder / "public"
    tools.mkdir()
    public.mkdir()
    (public / HEALTH).write_text("ok\n", encoding="utf-8")
    script = _SYSTEMCTL.format(name=NAME, here=shlex.quote(str(folder)), python=shlex.quote(sys.executable), port=port)
    for name, text in (("systemctl", script), ("sudo", _SUDO)):
        (tools / name).write_text(text, encoding="utf-8")
        (tools / name).chmod(0o755)
    subprocess.run([tools / "systemctl", "restart", NAME], check=True, timeout=10)
    return tools


def stop(folder: Path) -> None:
    """End the service, however often it was restarted."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((folder / "service.pid").read_text()), signal.SIGTERM)
