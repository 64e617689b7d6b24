"""SSH: commands judged by a shell grammar, run through the gate; asyncssh owns the transport on both sides.

`shell` reads a command line, `classify` says what it does (by `tools`), `conversation` runs it through the gate; all
three are pure. `server`, `channel` and `upstream` are the adapter at channel level around asyncssh.
"""
