"""Ends what runs on a target when a session is cut.

sshd passes signals on to the process group of a command, but not for root, and not under a forced command (session.c,
`session_signal_req`). What is to end there is found by a variable that sshd gave it and that all it started inherited.
"""

from __future__ import annotations

import asyncio
import shlex

import asyncssh

#: The whole of it, in seconds; a cut does not wait longer.
STOP_SECONDS = 5.0
#: sshd's variable with what the client asked for while a forced command runs. What it asks for is ours to choose.
ORIGINAL = "SSH_ORIGINAL_COMMAND"
#: What the stopping itself asks for under its certificate.
STOPPING = "hoop-stop"
#: SIGTERM to all that has the variable, a moment, then SIGKILL until nothing has it. Its status: 0 nothing is left, 3 nobody can
#: tell (no /proc), 4 something is left. It prints how many it found.
_SCRIPT = """
[ -r /proc/self/environ ] || exit 3
first=yes count=0
for signal in TERM KILL KILL KILL KILL; do
  found=no
  for file in $(grep -lzxF -e "$1" /proc/[0-9]*/environ 2>/dev/null); do
    number=${file#/proc/}
    kill -s $signal "${number%/environ}" 2>/dev/null || continue
    found=yes
    [ $first = no ] || count=$((count + 1))
  done
  [ $found = yes ] || break
  if [ $first = yes ]; then sleep 0.3 2>/dev/null || sleep 1; else sleep 0.05 2>/dev/null || sleep 1; fi
  first=no
done
echo $count
[ $found = no ] || exit 4
"""


def marked(mark: str) -> str:
    """The line that ends all that has SSH_ORIGINAL_COMMAND=`mark`."""
    return _line(shlex.quote(f"{ORIGINAL}={mark}"))


def on_this_connection() -> str:
    """The line that ends all that runs, or was started, on the connection it is sent on."""
    return _line('"SSH_CONNECTION=$SSH_CONNECTION"')


def _line(entry: str) -> str:
    """With an environment of its own, so that it does not find itself; in sh, whatever the account's shell is."""
    return f"exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c {shlex.quote(_SCRIPT)} {STOPPING} {entry}"


async def stop(connection: asyncssh.SSHClientConnection, line: str) -> str:
    """Send such a line; what became of it, in words for the record."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            done = await connection.run(line, stdin=asyncssh.DEVNULL, encoding=None)
    except (asyncssh.Error, OSError, TimeoutError):
        return "not known whether all of it ended"
    if done.exit_status == 0 and isinstance(done.stdout, bytes) and done.stdout.strip().isdigit():
        return f"{int(done.stdout)} processes ended"
    return "something goes on" if done.exit_status == 4 else "not known whether all of it ended"
