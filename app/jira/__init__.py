"""Jira: requests mirrored as issues, tickets looked up for conditions of flows, decisions by transition.

`client` is the only module that knows the `jira` library; `text` is pure; `mirror` writes, through the outbox; `hook` reads
web hooks; `tickets` answers conditions. Nothing of a request waits for Jira.
"""
