"""SSH: commands, shells, files and forwards through the gate; asyncssh owns the transport on both sides.

Pure: `shell` reads a command line, `classify` says what it does (by `tools`), `copying` reads scp and rsync, `files` judges file
operations, `sftp_messages` are SFTP's bytes, `terminal` and `output` mask what is printed. Around asyncssh: `server` listens,
`door` is one connection and `session` what it is after its login, `channels` are both ends of a channel. `opening` chooses what
a channel is for: `execution` (a command), `interactive` (a shell), `copies` (scp -O, rsync), `transfer` (sftp); `forwarding` are
forwards. All of them pass the gate by `admitting`, and know the whole only by the protocols of `house`.
"""
