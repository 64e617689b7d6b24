"""`hoop`: the command line of the gateway's own host. People use chat; operators use this."""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from access.errors import HoopError

ROLES = ("web", "proxy", "worker")
PERSON = "their wire name"


class Commands:
    """Sub-commands whose own help begins with what the list says of them, and may end with an example."""

    def __init__(self, parser: argparse.ArgumentParser, dest: str, metavar: str | None = None) -> None:
        self._added = parser.add_subparsers(dest=dest, required=True, metavar=metavar)

    def add_parser(self, name: str, *, help: str, example: str = "") -> argparse.ArgumentParser:
        described = f"{help[:1].upper()}{help[1:]}."
        return self._added.add_parser(
            name, help=help, description=described, epilog=f"For example: {example}" if example else None
        )


class _Version(argparse.Action):
    """`hoop --version`, which people try first: the command of that name."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.exit(_run(argparse.Namespace(command="version")))


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = argparse.ArgumentParser(prog="hoop", description="Access and approvals in chat, enforced on the wire.")
    top.add_argument("--config", "-c", type=Path, default=Path("hoop.yaml"), help="settings file (default: hoop.yaml)")
    top.add_argument("--log", choices=("text", "json", "debug"), default="text", help="the log on standard error")
    top.add_argument("--version", nargs=0, action=_Version, help="print the version")
    commands = Commands(top, "command", "COMMAND")

    serve = commands.add_parser("serve", help="run the gateway")
    serve.add_argument(
        "--only",
        type=_roles,
        default=(),
        help=f"some of {','.join(ROLES)}, in one process (default: a process for each)",
    )
    serve.add_argument(
        "--databases-only", action="store_true", help="without the SSH listener, which another process has"
    )

    commands.add_parser("check", help="report every problem of the configuration")
    commands.add_parser("version", help="print the version")
    flows = commands.add_parser(
        "flows", help="the approval flows: list them, or test what happens to a request",
        example="hoop flows test docs/request.example.yml --at 2026-11-21T03:00+01:00",
    )  # fmt: skip
    flows.add_argument("what", choices=("list", "test"))
    flows.add_argument("file", type=Path, nargs="?", help="a request to test, such as docs/request.example.yml")
    flows.add_argument("--at", default="", help="as of this time, 2026-11-21T03:00+01:00 (default: now)")
    config = commands.add_parser("config", help="print the JSON schema of hoop.yaml")
    config.add_argument("what", choices=("schema",))
    keygen = commands.add_parser("keygen", help="write a new random key to a file that only you can read")
    keygen.add_argument("path", type=Path, help="the file; one that exists is left alone")

    database = commands.add_parser("db", help="make or upgrade the store's tables, or print their revision")
    database.add_argument("what", choices=("upgrade", "current"))

    _operator_commands(commands)
    _ledger_commands(commands)
    _policy_commands(commands)
    _account_commands(commands)
    _ssh_commands(commands)
    _emergency_commands(commands)

    demo = commands.add_parser("demo", help="play the tour on an embedded PostgreSQL, then stay up")
    demo.add_argument("--stay", type=int, default=1, choices=(0, 1), help="0: end after the tour")
    demo.add_argument("--home", type=Path, default=Path(".hoop/demo"), help="where the demo keeps its files")
    attempt = commands.add_parser("try", help="a real psql as the sample developer of the running demo")
    attempt.add_argument("--home", type=Path, default=Path(".hoop/demo"), help="where the demo keeps its files")
    return top


def _policy_commands(commands: Commands) -> None:
    scan = commands.add_parser(
        "scan", help="sample a resource for personal data; shows counts and proposes masking rules"
    )
    scan.add_argument("resource", help="NAME or NAME/DATABASE")
    scan.add_argument(
        "--as", dest="person", default="", metavar="WHO", help="wire name of who owns it or decides on it"
    )
    scan.add_argument("--rows", type=int, default=200, help="values to look at per column (default: 200)")

    doctor = commands.add_parser(
        "doctor",
        help="what weakens the protection of a resource, as its server sees it; of a server, its host key and whether the gateway gets in",
    )
    doctor.add_argument("resource", help="NAME or NAME/DATABASE")
    doctor.add_argument("--fix", action="store_true", help="print the SQL of a role that cannot read protected columns")
    doctor.add_argument("--role", default="hoop_reader", help="what --fix calls that role (default: hoop_reader)")

    why = commands.add_parser(
        "why", help="what the policy makes of a statement, and why",
        example="hoop why 'DELETE FROM orders WHERE id = 7' --as dana --on prod-db",
    )  # fmt: skip
    why.add_argument("statement", help="the SQL (or shell command), in quotes")
    why.add_argument("--as", dest="person", required=True, metavar="PERSON", help=PERSON)
    why.add_argument("--on", dest="resource", required=True, metavar="RESOURCE")
    simulate = commands.add_parser(
        "simulate", help="what a changed policy would have made of the recorded statements",
        example="hoop simulate --since 7d --config changed.yaml",
    )  # fmt: skip
    simulate.add_argument("--since", default="7d", help="how far back: 7d, 12h")
    simulate.add_argument(
        "--config", dest="changed", metavar="NEW", help="a changed hoop.yaml (default: the one in force)"
    )


def _operator_commands(commands: Commands) -> None:
    grant = commands.add_parser(
        "grant", help="issue an audited grant from this host (bootstrap, chat down)",
        example="hoop grant dana prod-db --for 30m --reason 'INC-42, chat is down'",
    )  # fmt: skip
    grant.add_argument("person", help=PERSON)
    grant.add_argument("resource", help="its name in hoop.yaml")
    grant.add_argument("--scope", choices=("read", "write", "admin", "interactive"), default="read")
    grant.add_argument("--for", dest="duration", default="", help="30m, 2h (default: the resource's)")
    grant.add_argument("--reason", required=True, help="stands on the card and in the record")

    link = commands.add_parser("login-link", help="a single-use console link for a person, valid five minutes")
    link.add_argument("person", help=PERSON)

    replay = commands.add_parser("replay", help="play a recorded session in this terminal")
    replay.add_argument("session", help="ses_…, as `hoop sessions` lists them")
    replay.add_argument("--no-wait", action="store_true", help="print it at once")
    replay.add_argument("--speed", type=float, default=1.0, help="2: twice as fast (default: 1)")
    replay.add_argument("--asciicast", type=Path, help="write an asciicast v3 file instead")

    sessions = commands.add_parser("sessions", help="list recent sessions")
    sessions.add_argument("--open", action="store_true", help="only those connected now")

    runbooks = commands.add_parser("runbooks", help="files that people run from chat")
    doing = Commands(runbooks, "what")
    lint = doing.add_parser("lint", help="check files or folders; for a pre-commit hook and CI")
    lint.add_argument("paths", nargs="+", help="files, or folders with everything below")
    doing.add_parser("list", help="fetch the configured repositories and list what they offer")


def _ledger_commands(commands: Commands) -> None:
    ledger = commands.add_parser("ledger", help="the hash-chained event ledger")
    what = Commands(ledger, "what")
    verify = what.add_parser("verify", help="check every chain; names the first bad event")
    verify.add_argument(
        "--checkpoints", type=Path, help="exported checkpoints to check against (default: the settings')"
    )
    verify.add_argument(
        "--recordings", action="store_true", help="compare the recordings as well; a missing one is a finding"
    )
    verify.add_argument(
        "--also-in",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="another node's recordings, or an archive",
    )
    events = what.add_parser("events", help="print events, newest last")
    events.add_argument("--of", default="", help="only of one request, grant or session")
    events.add_argument("--limit", type=int, default=50, help="how many (default: 50)")
    events.add_argument("--since", default="", help="all of the last 7d, 12h instead")
    events.add_argument("--json", action="store_true", help="all of them, a line of JSON each, for a collector")
    events.add_argument(
        "--after", type=int, default=0, metavar="POSITION", help="with --json: only behind this position"
    )
    access = what.add_parser(
        "access", help="who was given what, why, by whom and until when, as CSV, for a review of access"
    )
    access.add_argument("--since", default="90d", help="given in the last 90d, 12h (default: 90d)")
    erase = what.add_parser("erase", help="delete payloads by policy; the chain still verifies")
    erase.add_argument("--of", required=True, help="request or session")
    erase.add_argument("--reason", required=True, help="stays in the ledger")


def _emergency_commands(commands: Commands) -> None:
    glass = commands.add_parser(
        "break-glass", help="take access for somebody on duty, when chat is down; called loudly",
        example="hoop break-glass dana prod-db --confirm prod-db --scope write --reason 'checkout is down'",
    )  # fmt: skip
    glass.add_argument("person", help=PERSON)
    glass.add_argument("resource", help="its name in hoop.yaml")
    glass.add_argument("--confirm", required=True, help="the resource's name once more")
    glass.add_argument("--scope", choices=("read", "write", "admin"), default="read")
    glass.add_argument("--for", dest="duration", default="", help="30m, 1h (default: the resource's)")
    glass.add_argument("--reason", required=True, help="told to everybody who is called")
    glass.add_argument("--ticket", default="", help="such as INC-42, where the flow wants one")


def _account_commands(commands: Commands) -> None:
    """What people log in or act with."""
    slack = commands.add_parser("slack", help="check tokens, scopes, socket and channels; says what to fix")
    slack.add_argument("what", choices=("check",))
    jira = commands.add_parser("jira", help="check the token, projects, types, statuses and accounts in Jira")
    jira.add_argument("what", choices=("check",))
    linking = commands.add_parser("link", help="let a Slack account act as a person")
    linking.add_argument("person", help=PERSON)
    linking.add_argument("account", help="TENANT/USER, for example T024BE7LD/U023BECGF")
    unlinking = commands.add_parser("unlink", help="take that back")
    unlinking.add_argument("account", help="TENANT/USER")


def _ssh_commands(commands: Commands) -> None:
    """Keys and certificates; `ssh` is for people's own machines."""
    key = commands.add_parser("key", help="people's SSH public keys and short-lived certificates")
    acting = Commands(key, "what")
    add = acting.add_parser("add", help="register a public key; from then on it logs in as the person")
    add.add_argument("person", help=PERSON)
    add.add_argument("file", type=Path, help="a .pub file")
    listing = acting.add_parser("list", help="a person's keys, and certificates that are good")
    listing.add_argument("person", help=PERSON)
    remove = acting.add_parser("remove", help="it logs in no more, and what it opened is cut")
    remove.add_argument("person", help=PERSON)
    remove.add_argument("fingerprint", help="SHA256:… or cert:… as listed, or certificates for all of those")
    snippet = commands.add_parser("ssh-config", help="print what people put into ~/.ssh/config and known_hosts")
    snippet.add_argument("person", nargs="?", default="", help="name this person (default: their key does)")

    ssh = commands.add_parser(
        "ssh", help="on your own machine: the system's ssh, with a certificate for the next minutes",
        example="hoop ssh web-1 --at ssh-gate.example.com:2222 --as dana -- uptime",
    )  # fmt: skip
    ssh.add_argument("--at", default="", metavar="HOST:PORT", help="the gateway's SSH port (default: $HOOP_SSH)")
    ssh.add_argument(
        "--as", dest="person", default="", metavar="NAME", help="your wire name (default: $HOOP_PERSON, $USER)"
    )
    ssh.add_argument(
        "--minutes", type=int, default=0, help="how long the certificate lasts (default: as long as it may)"
    )
    ssh.add_argument("--here", action="store_true", help="it is good only from the address you have now")
    ssh.add_argument("--renew", action="store_true", help="get another, even when the one here is good")
    ssh.add_argument(
        "--config-only", action="store_true", help="print a block for ~/.ssh/config (scp, ansible, editors) and end"
    )
    ssh.add_argument("resource", help="where to, such as web-1")
    ssh.add_argument("rest", nargs=argparse.REMAINDER, help="what you would give to ssh: a command, -L …")


def _roles(text: str) -> tuple[str, ...]:
    roles = tuple(part.strip() for part in text.split(","))
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is not a role; choose from {', '.join(ROLES)}")
    return roles


# Each command imports what it needs, so that `hoop check` does not pay for the gateway.
MODULES = {
    "check": "app.cli_setup",
    "config": "app.cli_setup",
    "flows": "app.cli_flows",
    "keygen": "app.cli_setup",
    "version": "app.cli_setup",
    "db": "app.cli_operate",
    "break-glass": "app.cli_emergency",
    "grant": "app.cli_operate",
    "login-link": "app.cli_operate",
    "sessions": "app.cli_operate",
    "runbooks": "app.cli_runbooks",
    "scan": "app.cli_scan",
    "why": "app.cli_policy",
    "simulate": "app.cli_policy",
    "doctor": "app.cli_protect",
    "replay": "app.cli_ledger",
    "ledger": "app.cli_ledger",
    "key": "app.cli_ssh",
    "ssh-config": "app.cli_ssh",
    "ssh": "app.cli_ssh_login",
    "slack": "app.cli_slack",
    "jira": "app.cli_jira",
    "link": "app.cli_slack",
    "unlink": "app.cli_slack",
    "serve": "app.serve",
    "demo": "app.demo.run",
    "try": "app.demo.run",
}


def _load(name: str) -> ModuleType:
    """A module and all that it imports. Nothing of it is ever garbage, so nobody looks for any: neither while it loads,
    which would be a fifth of the time that takes, nor each time the collector runs later."""
    gc.disable()
    module = importlib.import_module(name)
    gc.freeze()
    gc.enable()
    return module


def _run(arguments: argparse.Namespace) -> int:
    module = _load(MODULES[arguments.command])
    handler: Callable[[argparse.Namespace], int] = module.COMMANDS[arguments.command]
    return handler(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 done, 1 refused or failed, 2 wrong usage."""
    from app.telemetry import configure_logging  # the libraries it names cost start-up time

    arguments = parser().parse_args(argv)
    configure_logging(arguments.log)
    try:
        return _run(arguments)
    except HoopError as error:
        print(f"hoop: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        logging.getLogger("hoop").debug("unexpected", exc_info=True)
        print(f"hoop: unexpected {type(error).__name__}; `--log debug` shows where. Please report it.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
