"""Git-stored, parameterized commands.

Nothing lives here yet; the room is named so that the direction of imports is fixed before its first module: runbooks
know approval flows and the vocabulary, the bot knows runbooks, and nobody else does.
"""
