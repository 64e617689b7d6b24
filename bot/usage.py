"""What help says about each verb: usage, meaning, one example; its flags; and the words people try instead. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from bot.intents import Verb


@dataclass(frozen=True, slots=True)
class Usage:
    """One verb in help. `form` is the usage line, `example` parses."""

    form: str
    says: str
    example: str
    flags: tuple[str, ...] = ()


USAGE: dict[Verb, Usage] = {
    Verb.REQUEST: Usage(
        "request RESOURCE [DURATION] [from WHEN] [TICKET] [reason …] [--scope read|write|admin|interactive]"
        " [--tables TABLE,…] [--as-agent NAME] | [--unmask TABLE.COLUMN,…]",
        "Ask for access, now or from a time on (22:00, tomorrow 02:00, 2026-12-01T22:00 Europe/Berlin), or beside it for"
        " the clear values of some columns. The people who can decide get a card.",
        "request prod-db 1h INC-42 debugging checkout",
        ("for", "reason", "ticket", "scope", "start", "tables", "as-agent", "unmask"),
    ),
    Verb.EXEC: Usage(
        "exec RESOURCE [--reason …] [--ticket …] -- COMMAND",
        "Ask for one command; once approved it runs once and the masked result comes back here.",
        "exec prod-db --reason \"stuck order\" -- UPDATE orders SET state = 'new' WHERE id = 7",
        ("reason", "ticket", "as-agent"),
    ),
    Verb.RUN: Usage(
        "run RUNBOOK [name=value …] [--on RESOURCE[,…]|LABEL=VALUE] [--reason …] [--ticket …]",
        "Run a runbook; what will run is shown first. Without its parameters a form opens.",
        "run refund-order order=42 --on prod-db",
        ("on", "reason", "ticket", "as-agent"),
    ),
    Verb.RUNBOOKS: Usage("runbooks [words …]", "The runbooks there are, those I ran first.", "runbooks refund"),
    Verb.RUNS: Usage("runs", "What was run lately.", "runs"),
    Verb.RERUN: Usage("rerun ID", "The same run again, with the file as it is now.", "rerun req_7k3f9a2b"),
    Verb.MY: Usage("my", "My access with time left, my sessions, what I asked for.", "my"),
    Verb.PENDING: Usage("pending [PAGE]", "What waits for my decision.", "pending"),
    Verb.SHOW: Usage("show ID", "One request, grant or session.", "show req_7k3f9a2b"),
    Verb.APPROVE: Usage(
        "approve ID [--for 15m] [--scope read] [--tables orders] [--again 1h] [--note …]",
        "Approve a request, or less than was asked for; a command also again for a while, where its flow permits it.",
        "approve req_7k3f9a2b --for 15m",
        ("note", "for", "scope", "tables", "again"),
    ),
    Verb.DENY: Usage(
        "deny ID [reason …]", "Deny a request, saying why.", "deny req_7k3f9a2b use the replica", ("reason",)
    ),
    Verb.CHANGE: Usage(
        "change ID [DURATION] [from WHEN] [--scope …] [--reason …] [--ticket …]",
        "Change my waiting request. It is decided anew: earlier votes are void.",
        "change req_7k3f9a2b 30m",
        ("for", "start", "scope", "reason", "ticket"),
    ),
    Verb.CANCEL: Usage(
        "cancel ID", "Take my own request back, or access that I have not begun.", "cancel req_7k3f9a2b"
    ),
    Verb.PROPOSE: Usage(
        "propose ID [--note …] [-- COMMAND]",
        "Another text that I would rather approve for a command; its requester accepts it, and others than me decide it.",
        "propose req_7k3f9a2b --note \"one row only\" -- UPDATE orders SET state = 'new' WHERE id = 7",
        ("note",),
    ),
    Verb.ACCEPT: Usage("accept ID", "Take a text that was proposed for my command.", "accept prp_7k3f9a2b"),
    Verb.DECLINE: Usage(
        "decline ID [why …]",
        "Leave my command as it is, or take back a text that I proposed.",
        "decline prp_7k3f9a2b it has to be all of them",
        ("note",),
    ),
    Verb.EXTEND: Usage(
        "extend ID|RESOURCE [DURATION] [reason …]",
        "More time on live access, without a disconnect.",
        "extend prod-db 30m the index is still building",
        ("for", "reason"),
    ),
    Verb.DONE: Usage("done ID|RESOURCE", "Give access back early.", "done prod-db"),
    Verb.REVOKE: Usage(
        "revoke ID [reason …]",
        "End access now and cut its sessions.",
        "revoke grt_7k3f9a2b4c wrong ticket",
        ("reason",),
    ),
    Verb.SESSIONS: Usage("sessions [RESOURCE]", "Open sessions.", "sessions prod-db"),
    Verb.KILL: Usage("kill SESSION [reason …]", "Cut one session.", "kill ses_7k3f9a2b4c5d runaway query", ("reason",)),
    Verb.REPLAY: Usage("replay SESSION", "A link to a session's recording.", "replay ses_7k3f9a2b4c5d"),
    Verb.TOKEN: Usage("token RESOURCE", "A new connection token; the old one stops working.", "token prod-db"),
    Verb.AGENT: Usage(
        "agent token NAME [--on RESOURCE]",
        "A connection token for an AI agent that acts for me; I answer for what it does.",
        "agent token claude --on prod-db",
        ("on",),
    ),
    Verb.BREAK_GLASS: Usage(
        "break-glass RESOURCE [DURATION] [TICKET] reason … [--scope write] --confirm RESOURCE",
        "Emergency: access at once, everybody who answers for it is called, and I account for it afterwards.",
        "break-glass prod-db 30m INC-42 checkout is down and orders pile up --scope write --confirm prod-db",
        ("for", "reason", "ticket", "scope", "confirm"),
    ),
    Verb.ACK: Usage(
        "ack ID [note …]", "I have seen this break-glass and look after it.", "ack req_7k3f9a2b", ("note",)
    ),
    Verb.ATTEST: Usage(
        "attest ID [what I did …]", "What I did under break-glass; without words a form opens.", "attest req_7k3f9a2b"
    ),
    Verb.CLOSE: Usage(
        "close ID justified|unjustified|follow-up [note …]",
        "What I find about somebody's break-glass.",
        "close req_7k3f9a2b follow-up rotate the key",
        ("note",),
    ),
    Verb.BEGIN: Usage("begin ID", "Begin access that was approved ahead: its time starts now.", "begin req_7k3f9a2b"),
    Verb.DENY_ALL: Usage(
        "deny-all RESOURCE|* reason … [--sessions keep]",
        "Freeze: nothing runs there until two people lift it; another person confirms it. Sessions end unless kept.",
        "deny-all prod-db restoring from backup",
        ("reason", "sessions"),
    ),
    Verb.LIFT: Usage("lift RESOURCE [reason …]", "Lift a freeze; it takes two people.", "lift prod-db", ("reason",)),
    Verb.ALLOW: Usage(
        "allow @PERSON RESOURCE --length 5d --request 2h [--scope write] reason …  ·  allow ID",
        "A yes ahead: their requests up to that long are granted at once. It takes the flow's people, at least two.",
        "allow @dana prod-db --length 5d --request 2h --scope write on duty this week",
        ("length", "request", "scope", "reason"),
    ),
    Verb.DISALLOW: Usage(
        "disallow ID [reason …]", "Take an allowance back.", "disallow alw_7k3f9a2b moved team", ("reason",)
    ),
    Verb.DELEGATE: Usage(
        "delegate [@PERSON 5d|until DAY [from WHEN] [for GLOB] [reason …]]",
        "Let another person decide in my place for a while; alone: who decides for whom.",
        "delegate @bob until 2026-12-24 for prod-* on holiday",
        ("for", "start", "on", "reason"),
    ),
    Verb.UNDELEGATE: Usage(
        "undelegate ID [reason …]", "End a delegation.", "undelegate dlg_7k3f9a2b back again", ("reason",)
    ),
    Verb.WHO: Usage("who RESOURCE", "Who can decide on it and who has access now.", "who prod-db"),
    Verb.WHY: Usage(
        'why RESOURCE [at 03:00]  ·  why "SQL" on RESOURCE  ·  why RESOURCE -- SQL',
        "What I may do and why; with a statement, what would happen to it.",
        'why "DELETE FROM orders WHERE id = 7" on prod-db',
    ),
    Verb.WHOAMI: Usage("whoami", "Which person this account is.", "whoami"),
    Verb.CONSOLE: Usage("console", "A private link into the web console, good once for five minutes.", "console"),
    Verb.KEY: Usage(
        "key [add LINE | confirm FINGERPRINT | remove FINGERPRINT]",
        "My SSH public keys; one that I added and confirmed logs in as me. Also revokes my certificates (cert:…).",
        "key add ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxhkJxLq7YJ0PZxE5c3wz8qC9pEkzJdD8xVxAFMqK0a dana@laptop",
    ),
    Verb.LOGIN: Usage(
        "login NUMBER", "An SSH login that shows this number in its terminal is mine: let it in.", "login 407213"
    ),
    Verb.SSH_CONFIG: Usage(
        "ssh-config", "What to put into ~/.ssh/config, and the gateway's fingerprint.", "ssh-config"
    ),
    Verb.SETTINGS: Usage(
        "settings [waiting|expiring on|off] · settings quiet 22:00-07:00|off · settings digest 09:00|off",
        "What I am written to about in private, with switches; hours without such messages; one message a day.",
        "settings waiting off",
    ),
    Verb.HELP: Usage("help [VERB]", "This, or more about one verb.", "help exec"),
}

VERBS: dict[str, Verb] = {verb.value: verb for verb in Verb}
EXAMPLES: dict[Verb, str] = {verb: usage.example for verb, usage in USAGE.items()}
FLAGS: dict[Verb, tuple[str, ...]] = {verb: usage.flags for verb, usage in USAGE.items()}

SYNONYMS: dict[str, Verb] = {
    "access": Verb.REQUEST,
    "ask": Verb.REQUEST,
    "get": Verb.REQUEST,
    "grant": Verb.REQUEST,
    "need": Verb.REQUEST,
    "runbook": Verb.RUNBOOKS,
    "catalog": Verb.RUNBOOKS,
    "query": Verb.EXEC,
    "sql": Verb.EXEC,
    "mine": Verb.MY,
    "list": Verb.MY,
    "status": Verb.MY,
    "inbox": Verb.PENDING,
    "waiting": Verb.PENDING,
    "view": Verb.SHOW,
    "yes": Verb.APPROVE,
    "ok": Verb.APPROVE,
    "start": Verb.BEGIN,
    "activate": Verb.BEGIN,
    "freeze": Verb.DENY_ALL,
    "lockdown": Verb.DENY_ALL,
    "unfreeze": Verb.LIFT,
    "thaw": Verb.LIFT,
    "deputy": Verb.DELEGATE,
    "holiday": Verb.DELEGATE,
    "preapprove": Verb.ALLOW,
    "pre-approve": Verb.ALLOW,
    "no": Verb.DENY,
    "reject": Verb.DENY,
    "refuse": Verb.DENY,
    "edit": Verb.CHANGE,
    "suggest": Verb.PROPOSE,
    "counter": Verb.PROPOSE,
    "revise": Verb.CHANGE,
    "withdraw": Verb.CANCEL,
    "more": Verb.EXTEND,
    "renew": Verb.EXTEND,
    "finish": Verb.DONE,
    "finished": Verb.DONE,
    "release": Verb.DONE,
    "end": Verb.REVOKE,
    "remove": Verb.REVOKE,
    "cut": Verb.KILL,
    "stop": Verb.KILL,
    "terminate": Verb.KILL,
    "ps": Verb.SESSIONS,
    "recording": Verb.REPLAY,
    "password": Verb.TOKEN,
    "connect": Verb.TOKEN,
    "approvers": Verb.WHO,
    "explain": Verb.WHY,
    "web": Verb.CONSOLE,
    "preferences": Verb.SETTINGS,
    "mute": Verb.SETTINGS,
    "breakglass": Verb.BREAK_GLASS,
    "break": Verb.BREAK_GLASS,
    "emergency": Verb.BREAK_GLASS,
    "acknowledge": Verb.ACK,
    "seen": Verb.ACK,
    "attestation": Verb.ATTEST,
    "me": Verb.WHOAMI,
    "?": Verb.HELP,
    "-h": Verb.HELP,
    "--help": Verb.HELP,
    "usage": Verb.HELP,
}
