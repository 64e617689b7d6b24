"""Who is this. Imports only `access`.

- `directory`: the people and groups of the configuration, checked all at once, replaced as a whole.
- `tokens`: short-lived credentials to connect with; only a SCRAM-SHA-256 verifier is kept.
- `links`: single-use login links into the console and the sessions they start; only hashes are kept.
- `vault`: secret references (`env:`, `file:`, `cmd:`) and the filter that keeps resolved values out of logs.
"""
