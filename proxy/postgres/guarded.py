"""Parameters that a server reports and that mean something to the gateway."""

#: Reported parameters that only the gateway may change: a change ends the session (DESIGN: read scope).
READ_ONLY = "default_transaction_read_only"
GUARDED = {
    READ_ONLY: "the session's read-only default",
    "in_hot_standby": "the server's role",
    "session_authorization": "the session's user",
    "is_superuser": "the session's rights",
    "client_encoding": "the client encoding",
    "standard_conforming_strings": "the meaning of string literals",
}
TRACKED = frozenset({"search_path", "datestyle", "intervalstyle", "timezone"})
