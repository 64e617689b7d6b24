"""Break-glass on the gateway's host, on-call schedules from a file, and alarms outside of chat."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from access.duty import Alarm
from access.errors import Invalid, Unavailable
from app import alarms
from app.__main__ import main
from app.alarms import Alarms, Program, WebHook
from app.config_file import load
from app.core import open_core
from app.flows import FlowsWanted
from app.last_good import LastGood, keep
from approval_flows.on_call_file import OnCallFile, parse_schedules
from identity.directory import StaticDirectory
from tests.approval_flows.test_break_glass import broken, glass
from tests.fakes.clock import START, ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, BOB, DANA, EVERYBODY, GROUPS, SAM, World

ROOT = Path(__file__).parents[2]
CONFIG = """
store: {key: "file:store.key"}
ledger: {signing_key: "file:store.key"}
people: [{wire_name: dana, name: Dana}, {wire_name: ann, name: Ann}, {wire_name: sam, name: Sam}]
groups: {dba: [ann], security: [sam], firefighters: [dana]}
security_group: security
resources:
  - {name: prod-db, upstream: {host: db, user: gate, database: shop}, approvers: [dba], labels: {env: production}}
approvals: {flows: flows, on_call: on-call.yml}
"""
FLOW = (ROOT / "docs/flows/emergency.yml").read_text().replace("roles: [incident] ", "on_call: [primary]")
REASON = "The checkout is down since 02:10 and chat does not answer."
DIRECTORY = StaticDirectory(EVERYBODY, GROUPS)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hoop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "hoop.yaml").write_text(CONFIG)
    (tmp_path / "on-call.yml").write_text("primary: [{person: dana}]\n")
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/emergency.yml").write_text(FLOW)
    main(["keygen", str(tmp_path / "store.key")])

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["--config", str(tmp_path / "hoop.yaml"), *arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    assert run("db", "upgrade")[0] == 0
    return run


# ------------------------------------------------------------------------------------------------ on the host


def test_the_operator_takes_access_for_somebody_on_duty(hoop: Run) -> None:
    status, out, err = hoop(
        "break-glass", "dana", "prod-db", "--confirm", "prod-db", "--scope", "write", "--reason", REASON
    )
    assert (status, err) == (0, "")
    assert "Called, as soon as a worker runs: Ann, Sam." in out
    assert "hoop_" in out
    events = hoop("ledger", "events")[1]
    assert "BROKE GLASS on prod-db (write)" in events
    again = hoop("break-glass", "dana", "prod-db", "--confirm", "prod-db", "--reason", REASON)
    assert again[0] == 1
    assert "already, and it lasts" in again[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ann", "prod-db", "--confirm", "prod-db", "--reason", REASON), "may not break glass"),
        (("dana", "prod-db", "--confirm", "prod", "--reason", REASON), "typed once more"),
        (("dana", "prod-db", "--confirm", "prod-db", "--reason", "down"), "at least 30"),
        (("dana", "prod-db", "--confirm", "prod-db", "--reason", REASON, "--for", "2h"), "at most 1h"),
        (("ghost", "prod-db", "--confirm", "prod-db", "--reason", REASON), "nobody's wire name"),
    ],
)
def test_the_host_is_no_way_around(hoop: Run, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = hoop("break-glass", *arguments)
    assert (status, out) == (1, "")
    assert said in err


def test_off_duty_means_no(hoop: Run, tmp_path: Path) -> None:
    (tmp_path / "on-call.yml").write_text("primary: [{person: ann}]\n")
    status, _, err = hoop("break-glass", "dana", "prod-db", "--confirm", "prod-db", "--reason", REASON)
    assert status == 1
    assert "not on duty" in err


# ------------------------------------------------------------------------------------------------ beside broken files

TAKE = ("break-glass", "dana", "prod-db", "--confirm", "prod-db", "--reason", REASON)
ORDINARY = "name: writes\nwhen: {scopes: [write]}\nstages: [{name: s, any: {groups: [dbas]}}]\n"


def test_a_broken_file_of_another_flow_does_not_stop_it_and_is_named(hoop: Run, tmp_path: Path) -> None:
    (tmp_path / "flows/writes.yml").write_text(ORDINARY)
    status, out, err = hoop(*TAKE)
    assert (status, "Called, as soon as a worker runs: Ann, Sam." in out) == (0, True)
    assert "flows/writes.yml:3: stages.s: nobody active is in a group dbas. Did you mean dba?" in err
    assert "goes by the files that are good" in err


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("flows/emergency.yml", FLOW.replace("900", "high")),
        ("flows/emergency.yml", FLOW.replace("break_glass:", "brake_glass:")),
        ("flows/stricter.yml", FLOW.replace("name: emergency", "name: stricter").replace("900", "950: x")),
        ("flows/cut.yml", "name: stricter\npriority: 950\n"),
        ("on-call.yml", "primary: [{person: nobody}]\n"),
    ],
)
def test_while_its_own_rules_cannot_be_told_there_is_no_access(hoop: Run, tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    status, out, err = hoop(*TAKE)
    assert (status, out) == (1, "")
    assert "cannot be told while this is broken" in err
    assert f"{file}:" in err, "says what to mend"
    assert "BROKE GLASS" not in hoop("ledger", "events")[1]


def gone_by(tmp_path: Path) -> None:
    """A gateway ran here and kept what it goes by."""

    async def work() -> None:
        async with open_core(load(tmp_path / "hoop.yaml", {}), flows=FlowsWanted.ALL) as core:
            await keep(core.store, LastGood(core.flows.current.texts, core.on_call.text))

    asyncio.run(work())


@pytest.mark.parametrize(("file", "broken"), [("flows/emergency.yml", None), ("on-call.yml", "{")])
def test_the_last_good_version_is_in_the_store(hoop: Run, tmp_path: Path, file: str, broken: str | None) -> None:
    gone_by(tmp_path)
    if broken is None:
        (tmp_path / file).unlink()
        (tmp_path / file).mkdir()  # it can not be read
    else:
        (tmp_path / file).write_text(broken)
    ann = hoop("break-glass", "ann", "prod-db", "--confirm", "prod-db", "--reason", REASON)
    assert (ann[0], "may not break glass" in ann[2]) == (1, True), "its rules hold as ever"
    status, out, err = hoop(*TAKE)
    assert (status, "Called, as soon as a worker runs: Ann, Sam." in out) == (0, True), err
    assert "broken, and left out" in err
    assert f"{file}:" in err
    assert "goes by THE LAST GOOD VERSION that the store kept, in force since 20" in err


def test_a_process_that_is_started_again_goes_by_it_too(
    hoop: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone_by(tmp_path)
    (tmp_path / "flows/emergency.yml").write_text("{")
    (tmp_path / "on-call.yml").write_text("{")

    async def names(flows: FlowsWanted) -> list[str]:
        async with open_core(load(tmp_path / "hoop.yaml", {}), flows=flows) as core:
            assert not core.flows.reload(), "the broken file is looked at and not taken"
            assert core.on_call.schedules() == ("primary",)
            return [flow.name for flow in core.flows.current.flows]

    assert asyncio.run(names(FlowsWanted.KEPT)) == ["emergency", "default"]
    assert "going by THE LAST GOOD VERSION that the store kept" in caplog.text
    with pytest.raises(Invalid, match="problem"):
        asyncio.run(names(FlowsWanted.ALL))


def test_a_last_good_version_that_no_longer_fits_is_none(hoop: Run, tmp_path: Path) -> None:
    gone_by(tmp_path)
    (tmp_path / "flows/emergency.yml").write_text("{")
    config = (tmp_path / "hoop.yaml").read_text()
    (tmp_path / "hoop.yaml").write_text(config.replace("firefighters: [dana]", "firemen: [dana]"))
    status, out, err = hoop(*TAKE)
    assert (status, out) == (1, "")
    assert "cannot be told while this is broken" in err


def test_what_the_store_keeps_can_not_be_written_by_others(hoop: Run, tmp_path: Path) -> None:
    gone_by(tmp_path)
    (tmp_path / "flows/emergency.yml").write_text("{")
    (store,) = tmp_path.glob("*.db")
    with sqlite3.connect(store) as connection:
        (sealed,) = connection.execute("SELECT sealed FROM doc WHERE kind = 'last-good'").fetchone()
        other = sealed[:-1] + bytes([sealed[-1] ^ 1])
        connection.execute("UPDATE doc SET sealed = ? WHERE kind = 'last-good'", (other,))
    status, out, err = hoop(*TAKE)
    assert (status, out) == (1, "")
    assert "was changed outside the gateway" in err
    (tmp_path / "flows/emergency.yml").write_text(FLOW)
    assert hoop(*TAKE)[0] == 0, "with good files nothing depends on it"


def test_schedules_that_only_others_want_do_not_stop_it(hoop: Run, tmp_path: Path) -> None:
    (tmp_path / "on-call.yml").write_text("primary: [{person: nobody}]\n")
    (tmp_path / "flows/emergency.yml").write_text(FLOW.replace("on_call: [primary]", "roles: [firefighters]"))
    status, _, err = hoop(*TAKE)
    assert status == 0
    assert "on-call.yml:1: " in err


def test_commands_that_need_no_flows_look_at_none(hoop: Run, tmp_path: Path) -> None:
    (tmp_path / "flows/emergency.yml").write_text("{")
    (tmp_path / "on-call.yml").write_text("{")
    for words in (
        ("ledger", "verify"),
        ("ledger", "events"),
        ("sessions",),
        ("login-link", "dana"),
        ("db", "current"),
        ("key", "list", "dana"),
        ("grant", "dana", "prod-db", "--reason", "chat and flows are broken"),
    ):
        status, _, err = hoop(*words)
        assert (status, err) == (0, ""), words
    for words in (("check",), ("serve", "--only", "web"), ("flows", "list")):
        status, _, err = hoop(*words)
        assert (status, "flows/emergency.yml:1: " in err) == (1, True), words


# ------------------------------------------------------------------------------------------------ schedules


def test_the_example_in_the_docs_is_one() -> None:
    schedules, problems = parse_schedules("x", (ROOT / "docs/on-call.example.yml").read_text(), DIRECTORY)
    assert problems == ()
    assert list(schedules) == ["primary"]


def test_shifts_begin_end_and_cross_midnight(tmp_path: Path) -> None:
    path = tmp_path / "on-call.yml"
    path.write_text(
        "week: [{person: ann, from: '2026-03-02T08:00+00:00', to: '2026-03-03T08:00+00:00'}]\n"
        "night: [{person: bob, hours: {from: '22:00', to: '06:00', zone: UTC}}]\n"
    )
    duty = OnCallFile(path, DIRECTORY)
    begin, midnight = datetime(2026, 3, 2, 8, tzinfo=UTC), datetime(2026, 3, 3, 0, 30, tzinfo=UTC)
    assert duty.on_call("week", begin) == {ANN.id}
    assert duty.on_call("week", begin - timedelta(seconds=1)) == frozenset()
    assert duty.on_call("week", begin + timedelta(days=1)) == frozenset()
    assert duty.on_call("night", midnight) == {BOB.id}
    assert duty.on_call("night", begin) == frozenset()
    assert duty.on_call("nothing", begin) == frozenset()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "mapping"),
        ("", "is empty"),
        ("primary: []", "empty list"),
        ("primary: [{person: nobody}]", "not an active person"),
        ("primary: [{person: ian}]", "not an active person"),
        ("primary: [{}]", "is missing"),
        ("primary: [{person: ann, from: tomorrow}]", "a time with its zone"),
        ("primary: [{person: ann, from: '2026-03-02T08:00'}]", "a time with its zone"),
        ("primary: [{person: ann, from: '2026-03-02T08:00Z', to: '2026-03-01T08:00Z'}]", "not after from"),
        ("primary: [{person: ann, hours: {from: '1', to: '2', zone: Mars}}]", "not a time zone"),
        ("primary: [{person: ann}]\nprimary: [{person: bob}]", "twice"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "on-call.yml"
    path.write_text(text)
    with pytest.raises(Invalid, match=said) as refused:
        OnCallFile(path, DIRECTORY)
    assert "on-call.yml:" in str(refused.value)


def test_the_last_good_schedules_stay(tmp_path: Path) -> None:
    path = tmp_path / "on-call.yml"
    path.write_text("primary: [{person: ann}]")
    duty = OnCallFile(path, DIRECTORY)
    for broken_text in ("primary: [{person: nobody}]", "{"):
        path.write_text(broken_text)
        duty.reload()
        assert duty.on_call("primary", START) == {ANN.id}
    path.unlink()
    duty.reload()
    assert duty.on_call("primary", START) == {ANN.id}
    path.write_text("primary: [{person: bob}]")
    duty.reload()
    assert duty.on_call("primary", START) == {BOB.id}


# ------------------------------------------------------------------------------------------------ alarms

ALARM = Alarm("w-1", "emergency.opened", START, "req_1", "prod-db", "Dana", "BROKE GLASS")


class Pages:
    def __init__(self) -> None:
        self.alarms: list[Alarm] = []
        self.down = 0

    async def page(self, alarm: Alarm) -> None:
        if self.down:
            self.down -= 1
            raise Unavailable("down")
        self.alarms.append(alarm)


async def test_each_alarm_is_paged_once_and_survives_an_outage_and_a_restart(clock: ManualClock) -> None:
    world = glass(World(MemoryStore(clock), clock))
    request = await broken(world)
    pages = Pages()
    pages.down = 2
    for _ in range(2):
        with pytest.raises(Unavailable):
            await Alarms(world.store, [pages], str).step()
    assert await Alarms(world.store, [pages], str, "https://hoop.example.com/requests/{}".format).step()
    assert not await Alarms(world.store, [pages], str).step()
    (alarm,) = pages.alarms
    assert alarm.link == f"https://hoop.example.com/requests/{request.id}"
    assert "until 2026-03-02 10:00:00Z: " in alarm.text
    assert (alarm.kind, alarm.subject, alarm.resource, alarm.who) == (
        "emergency.opened",
        request.id,
        "prod-db",
        DANA.id,
    )
    clock.advance(15 * 60)
    await world.desk.tick()
    assert await Alarms(world.store, [pages], str).step()
    assert pages.alarms[-1].kind == "emergency.escalated"
    assert SAM.id in pages.alarms[-1].text


async def test_what_can_never_be_handed_over_does_not_hold_up_the_rest(clock: ManualClock) -> None:
    world = glass(World(MemoryStore(clock), clock))
    await broken(world)
    pages = Pages()
    pages.down = 1_000
    following = Alarms(world.store, [pages], str)
    for _ in range(alarms.MOST_TRIES - 1):
        with pytest.raises(Unavailable):
            await following.step()
    assert await following.step()
    assert not await following.step()


async def test_the_hook_is_signed_and_anything_but_2xx_is_tried_again() -> None:
    seen: list[tuple[bytes, str]] = []
    status = [500, 302, 204]

    async def take(request: web.Request) -> web.Response:
        seen.append((await request.read(), request.headers["X-Hoop-Signature"]))
        return web.Response(status=status[len(seen) - 1], headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/alarm", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    hook = WebHook(f"http://127.0.0.1:{port}/alarm", "s3cret")
    try:
        for said in ("500", "302"):
            with pytest.raises(Unavailable, match=said):
                await hook.page(ALARM)
        await hook.page(ALARM)
    finally:
        await runner.cleanup()
    body, signature = seen[-1]
    assert signature == f"sha256={hmac.new(b's3cret', body, hashlib.sha256).hexdigest()}"
    assert json.loads(body)["text"] == "BROKE GLASS"
    with pytest.raises(Unavailable, match="does not answer"):
        await hook.page(ALARM)


async def test_a_program_reads_it_and_its_failure_is_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"import sys; open({str(out)!r}, 'wb').write(sys.stdin.buffer.read())"
    await Program([sys.executable, "-c", code]).page(ALARM)
    assert json.loads(out.read_bytes())["subject"] == "req_1"
    with pytest.raises(Unavailable, match="ended with 3"):
        await Program([sys.executable, "-c", "raise SystemExit(3)"]).page(ALARM)
    with pytest.raises(Unavailable, match="cannot be started"):
        await Program([str(tmp_path / "nothing")]).page(ALARM)


async def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "TIMEOUT_SECONDS", 0.05)
    with pytest.raises(Unavailable, match="took too long"):
        await Program([sys.executable, "-c", "import time; time.sleep(60)"]).page(ALARM)
