"""Commands that read what happened: replay a session, verify and read the ledger, erase by policy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from access.errors import Invalid, many
from access.events import StoredEvent
from access.ids import Prefix, SessionId, parse_id
from app.cli_operate import operator, with_core
from app.cli_setup import load_or_explain
from app.clock import SystemClock
from app.config_file import Loaded
from app.core import Core, store_url
from app.keys import key_bytes
from app.settings_types import parse_duration
from identity.vault import SecretVault
from ledger import review, views
from ledger.checkpoints import public_key_of
from ledger.recordings import Recordings, stored
from ledger.replay import asciicast, render_terminal
from ledger.retention import erase
from ledger.seals import check_all, gone_by_policy
from ledger.segments import name_of
from ledger.sessions import SessionLog
from ledger.verify import verify


async def _replay(core: Core, arguments: argparse.Namespace) -> int:
    name = parse_id(arguments.session, Prefix.SESSION)
    session = await core.store.read(lambda tx: tx.session(SessionId(name))) if name else None
    if session is None:
        raise Invalid(f"There is no session {arguments.session}.", hint="`hoop sessions` lists them.")
    if arguments.speed <= 0:
        raise Invalid("--speed must be more than 0.")
    recording = recordings(core).read(name_of(session))
    if arguments.asciicast:
        try:
            arguments.asciicast.write_text(
                asciicast(recording, title=f"{session.id} {session.resource}"), encoding="utf-8"
            )
        except OSError as error:
            raise Invalid(f"{arguments.asciicast} cannot be written: {error.strerror}.") from error
        print(f"{arguments.asciicast}: asciicast v3, plays with asciinema.")
        return 0
    render_terminal(recording, _write, speed=arguments.speed, wait=not arguments.no_wait)
    return 0


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def recordings(core: Core) -> Recordings:
    """This node's recordings, for reading."""
    return Recordings(core.base / core.settings.recordings.path, SessionLog(core.store))


def _verify(arguments: argparse.Namespace) -> int:
    loaded = load_or_explain(arguments.config, flows=False)
    vault = SecretVault(base=loaded.base)
    exported: Path = arguments.checkpoints or loaded.base / loaded.settings.ledger.checkpoint_file
    if arguments.checkpoints and not exported.is_file():
        raise Invalid(f"{exported} is not a file.")
    places = _places(loaded, arguments)
    report = verify(
        store_url(loaded.settings, loaded.base, vault),
        public_key=public_key_of(key_bytes(vault, loaded.settings.ledger.signing_key)),
        exported=exported if exported.is_file() else None,
    )
    print(report.text())
    if not places:
        return 0 if report.ok else 1
    today = SystemClock().now().date()
    gone = partial(gone_by_policy, erased=report.erased_streams, keep=loaded.settings.recordings.keep, today=today)
    checked = check_all(report.seals.values(), partial(_stored_in, places), gone)
    print(checked.text())
    return 0 if report.ok and checked.ok else 1


def _places(loaded: Loaded, arguments: argparse.Namespace) -> list[Path]:
    """Where recordings are looked for; nowhere when nobody asked for them."""
    for other in arguments.also_in:
        if not other.is_dir():
            raise Invalid(f"{other} is not a directory.", hint="--also-in takes one like recordings.path.")
    if not (arguments.recordings or arguments.also_in):
        return []
    return [loaded.base / loaded.settings.recordings.path, *arguments.also_in]


def _stored_in(places: list[Path], name: str) -> bytes:
    """A recording from the first of the directories that has it, in whatever state."""
    for place in places[:-1]:
        with suppress(Invalid):
            return stored(place, name)
    return stored(places[-1], name)


async def _events(core: Core, arguments: argparse.Namespace) -> int:
    limit, since = arguments.limit, _since(core, arguments.since)
    if arguments.after and not arguments.json:
        raise Invalid("--after goes with --json.", hint="For people there is --since 12h.")
    if arguments.json:
        await core.store.read(lambda tx: _tell(review.events(tx, after=arguments.after, since=since), arguments.of))
        return 0
    if arguments.of:
        lines = await core.store.read(lambda tx: views.about(tx, arguments.of, core.name_of))
    elif since is not None:
        lines = await core.store.read(lambda tx: views.lines(review.events(tx, since=since), core.name_of))
    else:
        lines = await core.store.read(lambda tx: views.recent(tx, limit, core.name_of))
    for line in lines[-limit:] if since is None else (one for one in lines if one.at >= since):
        print(line)
    return 0


def _since(core: Core, text: str) -> datetime | None:
    try:
        return core.clock.now() - parse_duration(text) if text else None
    except ValueError as error:
        raise Invalid(f"--since {error}.") from None


def _tell(events: Iterable[StoredEvent], of: str) -> None:
    for event in events:
        if not of or event.stream == of:
            print(review.as_json(event))


async def _access(core: Core, arguments: argparse.Namespace) -> int:
    since = _since(core, arguments.since)
    rows = await core.store.read(lambda tx: review.given(review.events(tx, kinds=review.KINDS), core.name_of))
    first = f"{since:%Y-%m-%d %H:%M:%S}Z" if since is not None else ""
    _write(review.as_csv(row for row in rows if row.granted >= first))
    return 0


async def _erase(core: Core, arguments: argparse.Namespace) -> int:
    count = await erase(core.store, actor=operator(), why=arguments.reason, stream=arguments.of)
    if not count:
        raise Invalid(f"There is nothing of {arguments.of} to erase.", hint="`hoop ledger events` shows what there is.")
    print(f"{many(count, 'payload')} of {arguments.of} erased; the chain still verifies and says that they were.")
    return 0


def _ledger(arguments: argparse.Namespace) -> int:
    if arguments.what == "verify":
        return _verify(arguments)
    return with_core({"access": _access, "events": _events, "erase": _erase}[arguments.what])(arguments)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {"replay": with_core(_replay), "ledger": _ledger}
