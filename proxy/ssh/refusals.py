"""What the gateway says to what it does not do, with what to do instead."""

from __future__ import annotations

from proxy.admission import Refusal
from proxy.ssh.classify import TRANSFER

RUN_ONE = "Run one command: ssh … -- COMMAND"

NUL = Refusal("A command with a NUL byte is not a command.")
NOT_READ = Refusal("What was asked for cannot be read: a command is text in UTF-8.", "", RUN_ONE)
TERMINAL_OFF = Refusal(
    "Terminals are off here.", "What is typed into one cannot be judged.", "Run the command without -t."
)
TRANSFER_OFF = Refusal(TRANSFER, "scp, sftp and rsync are a permission of their own.", RUN_ONE)
SUBSYSTEM_OFF = Refusal("This subsystem is off here.", "Only sftp can be turned on.", RUN_ONE)
