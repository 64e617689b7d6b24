"""Shell runbooks through the gateway, on a real OpenSSH server: the library, what is quoted, what stops."""

from __future__ import annotations

import asyncio
import base64
import gzip
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import pytest

from access.actors import Actor
from access.errors import Denied, Invalid
from access.policy import Action, Policy, Rule
from access.ports import Outcome
from access.requests import Choice, Evidence, Grant, GrantState, Place
from access.runs import Run, RunStep
from access.scopes import OfRunbook
from proxy.ssh.client import Executor, Listener
from proxy.ssh.judge import Judge
from runbooks.model import Known, Part, Runbook
from runbooks.parse import parse
from runbooks.render import check, render
from runbooks.secrets import RunSecrets, SecretRule
from tests.fakes.vault import Values
from tests.fakes.world import ANN, DANA
from tests.runbooks.attacks import ATTACKS
from tests.wire.ssh.site import SSHD, Site, Target, open_site

DANA_SELF = Actor(DANA.id, display="Dana")
SYSTEMCTL = """#!/bin/sh
echo "$@" >> {log}
case "$1" in
  show) echo ActiveState=active ;;
  is-active) test -e {log}.dead && { echo failed; exit 3; }; echo active ;;
  restart) : ;;
esac
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """An OpenSSH server whose commands find our systemctl and sudo first."""
    if not Path(SSHD).exists() or shutil.which("ssh") is None:
        pytest.skip("OpenSSH's client and server are not installed")
    directory = tmp_path_factory.mktemp("host")
    tools = directory / "bin"
    tools.mkdir()
    for name, text in (
        ("systemctl", SYSTEMCTL.replace("{log}", str(directory / "systemctl.log"))),
        ("sudo", '#!/bin/sh\nshift\nexec "$@"\n'),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    target = Target(directory)
    target.start(path=f"{tools}:/usr/local/bin:/usr/bin:/bin")
    yield target
    target.stop()


@dataclass
class Runs:
    """Ask for a run, have it approved, run it: as the bot does."""

    site: Site

    def made(self, runbook: Runbook, part: Part = Part.RUN, **typed: str) -> Run:
        values, wrong = check(runbook, typed)
        assert not wrong, wrong
        return render(runbook, "c" * 40, part, values)

    async def describe(self, run: Run, policy: Policy | None = None) -> tuple[Evidence, OfRunbook]:
        gateway = self.site.gateway
        judge = Judge(gateway.detectors, policy or gateway.policy, gateway.ports.clock)
        return await judge.describe_run(DANA_SELF, DANA, self.site.resource, run)

    async def granted(self, run: Run) -> Grant:
        evidence, scope = await self.describe(run)
        asked = await self.site.desk.ask_run(DANA_SELF, "web-1", scope, evidence, "a test", "", Place())
        await self.site.desk.review(asked.request.id, 1, ANN.id, Choice.APPROVE)
        (grant,) = await self.site.store.read(lambda tx: tx.grants(request=asked.request.id))
        await self.site.book.refresh()
        return grant

    async def execute(self, grant: Grant, steps: tuple[RunStep, ...]) -> list[Outcome]:
        key = " ".join(self.site.host_key.split()[:2])
        executor = Executor(self.site.credentials, lambda: Listener("127.0.0.1", self.site.gateway.port, key))
        return [o async for o in executor.run_steps(grant, DANA, self.site.resource, "", steps)]

    async def run(self, runbook: Runbook, part: Part = Part.RUN, **typed: str) -> list[Outcome]:
        made = self.made(runbook, part, **typed)
        return await self.execute(await self.granted(made), made.steps)


@pytest.fixture
async def runs(host: Target, tmp_path: Path) -> AsyncIterator[Runs]:
    (host.directory / "systemctl.log").write_text("")
    (host.directory / "systemctl.log.dead").unlink(missing_ok=True)
    async with open_site(host, tmp_path) as site:
        yield Runs(site)


def shipped(name: str, logs: Path | None = None) -> Runbook:
    path = f"{name}.runbook.sh"
    text = files("runbooks").joinpath("library", path).read_text(encoding="utf-8")
    return parse(path, (text if logs is None else text.replace("/var/log(", f"{logs}(")).encode())


def good(outcomes: list[Outcome]) -> list[str]:
    assert all(o.ok and o.known for o in outcomes), [(o.tag, str(o.message)) for o in outcomes]
    return [str(row[0]) for o in outcomes for row in o.rows]


async def test_restart_a_service_with_its_health_check(runs: Runs, tmp_path: Path) -> None:
    restart = shipped("restart-service")
    log = runs.site.target.directory / "systemctl.log"
    assert good(await runs.run(restart, Part.DRY_RUN, service="web.service")) == ["ActiveState=active"]
    page = tmp_path / "up"
    page.write_text("ok")
    server = await start_web(tmp_path)
    try:
        done = await runs.run(restart, service="web.service", health=f"http://127.0.0.1:{server.port}/up")
    finally:
        await server.stop()
    assert good(done) == ["active", "active"]
    assert "restart -- web.service" in log.read_text().splitlines()
    log.with_name(f"{log.name}.dead").touch()
    outcomes = await runs.run(restart, service="web.service")
    assert [o.ok for o in outcomes] == [True, False]
    assert outcomes[1].tag == "exit status 3"


def made_in(folder: Path) -> list[Path]:
    return list(folder.glob("[de]"))


@dataclass
class Web:
    """A server of the folder's files."""

    port: int
    process: asyncio.subprocess.Process

    async def stop(self) -> None:
        self.process.kill()
        await self.process.wait()


async def start_web(folder: Path) -> Web:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    said = (await process.stdout.readline()).decode()
    return Web(int(said.split(" port ")[1].split()[0]), process)


async def test_the_looking_runbooks(runs: Runs, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "app.log").write_text("".join(f"line {n} of someone@example.com\n" for n in range(300)))
    shown = good(await runs.run(shipped("disk-report"), folder=str(logs)))
    assert any("Use%" in line for line in shown)
    assert any(line.endswith(str(logs)) for line in shown)
    tail = shipped("tail-log", logs)
    (last,) = await runs.run(tail, file=f"{logs}/app.log", lines="2")
    assert [str(row[0]) for row in last.rows][-1].startswith("line 299 of ")
    assert "someone@example.com" not in str(last.rows)
    assert len(good(await runs.run(tail, file=f"{logs}/app.log", contains="line 29 of"))) == 0
    assert len(good(await runs.run(tail, file=f"{logs}/app.log", contains="line 299 of"))) == 1
    for bad in (f"{logs}/../../etc/passwd", "/etc/passwd", f"{logs}/.x", f"{logs}/a b"):
        assert check(tail, {"file": bad})[1]


async def test_rotate_a_log(runs: Runs, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    log = logs / "app.log"
    log.write_text("kept\n")
    rotate = shipped("rotate-log", logs)
    good(await runs.run(rotate, Part.DRY_RUN, file=str(log)))
    assert log.read_text() == "kept\n"
    good(await runs.run(rotate, file=str(log)))
    assert log.read_text() == ""
    (copy,) = logs.glob("app.log.*.gz")
    assert gzip.decompress(copy.read_bytes()) == b"kept\n"
    missing = await runs.run(rotate, file=f"{logs}/none.log")
    assert [o.ok for o in missing] == [False]


async def test_every_attack_reaches_the_host_as_the_text_it_is(runs: Runs, tmp_path: Path) -> None:
    runbook = parse(
        "x.runbook.sh", b"---\nparameters:\n  t: {type: lines}\n---\nprintf '<%s>' begin \"{{ .t }}\" a'{{ .t }}'"
    )
    said = [value for value in ATTACKS if not check(runbook, {"t": value})[1]]
    ran = 0
    for value in said:
        try:
            made = runs.made(runbook, t=value)
        except Invalid:
            assert value.startswith(("-", "+"))
            continue
        ran += 1
        if ran % 4 and "'" not in value:
            continue  # every value is judged by shells in tests/runbooks; here a sample goes the whole way
        (outcome,) = await runs.execute(await runs.granted(made), made.steps)
        assert outcome.ok, str(outcome.message)
        assert "\n".join(str(row[0]) for row in outcome.rows).replace("⇥", "\t") == f"<begin><{value}><a{value}>"
    assert ran >= 15


STEPS = b"# step: one\nmkdir -- {{ .d }}\n# step: two\nls /nowhere\n# step: three\nrmdir -- {{ .d }}"
HEAD = b"---\nparameters:\n  d: {}\n---\n"


async def test_the_first_step_that_fails_ends_the_run_and_the_grant(runs: Runs, tmp_path: Path) -> None:
    made = runs.made(parse("x.runbook.sh", HEAD + STEPS), d=str(tmp_path / "d"))
    grant = await runs.granted(made)
    assert [o.ok for o in await runs.execute(grant, made.steps)] == [True, False]
    await runs.site.gone()
    row = await runs.site.store.read(lambda tx: tx.grant(grant.id))
    assert row is not None
    assert row.state is GrantState.FAILED
    await runs.site.book.refresh()
    assert [o.ok for o in await runs.execute(grant, made.steps[2:])] == [False]
    assert (tmp_path / "d").is_dir()


async def test_nothing_but_the_approved_steps_in_their_order_runs(runs: Runs, tmp_path: Path) -> None:
    made = runs.made(
        parse("x.runbook.sh", HEAD + b"# step: one\nmkdir -- {{ .d }}\n# step: two\nls -- {{ .d }}"), d=f"{tmp_path}/d"
    )
    one, two = made.steps
    for steps in (
        (two,),
        (two, one),
        (replace(one, text=f"mkdir -- '{tmp_path}/e'"),),
        (replace(one, text=one.text + ";id"),),
    ):
        outcomes = await runs.execute(await runs.granted(made), steps)
        assert [o.ok for o in outcomes] == [False]
    assert not made_in(tmp_path)
    grant = await runs.granted(made)
    assert [o.ok for o in await runs.execute(grant, made.steps)] == [True, True]
    assert [o.ok for o in await runs.execute(grant, made.steps)] == [False]


async def test_what_policy_refuses_is_refused_before_anybody_is_asked(runs: Runs) -> None:
    policy = Policy(rules=(Rule("no-deletes", Action.DENY, "Not here.", verbs=("RM",)),))
    run = runs.made(parse("x.runbook.sh", HEAD + b"# step: one\nls -- {{ .d }}\n# step: two\nrm -- {{ .d }}"), d="x")
    with pytest.raises(Denied, match=r"Step 2 \(two\): Not here"):
        await runs.describe(run, policy)
    evidence, scope = await runs.describe(run)
    assert scope.writes
    assert "# 2. two\nrm -- 'x'" in evidence.exact.reveal()


GIVEN = b"""---
parameters:
  token: {type: secret, env: TOKEN}
  what: {env: WHAT, default: "it's"}
---
# step: Read by what runs
printf '%s|%s\\n' "$TOKEN" "$WHAT" > FOLDER/got
# step: It comes back
echo "x${TOKEN}y"; echo "$TOKEN" >&2; printf %s "$TOKEN" | base64; cat
# step: Nobody sees it among the processes
ps -eo args > FOLDER/ps; tr '\\0' '\\n' < /proc/$$/cmdline
"""


@pytest.mark.parametrize(
    "value",
    ["a plain-Secret 'with' $(id) \\\\ \"all\" of it", "".join(map(str, range(340)))[:1000]],
    ids=["odd", "long"],
)
async def test_a_script_is_given_a_secret_by_its_input(runs: Runs, tmp_path: Path, value: str) -> None:
    vault = Values(ref=value)
    rule = SecretRule("billing/api-token", "ref", ("ops/*",))
    runs.site.gateway.ports = replace(runs.site.gateway.ports, secrets=RunSecrets([rule], vault))  # type: ignore[type-var]
    runbook = parse("x.runbook.sh", GIVEN.replace(b"FOLDER", str(tmp_path).encode()))
    values, wrong = check(runbook, {"token": rule.name}, Known(secrets=frozenset({rule.name})))
    assert not wrong
    made = replace(render(runbook, "c" * 40, Part.RUN, values), name="ops/x")
    assert made.steps[0].text.startswith("IFS= read -r TOKEN; export TOKEN # the secret billing/api-token\n")
    outcomes = await runs.execute(await runs.granted(made), made.steps)
    shown = good(outcomes)
    assert (tmp_path / "got").read_text() == f"{value}|it's\n"
    assert shown[0].startswith("x")
    processes = (tmp_path / "ps").read_text()
    assert "IFS= read -r TOKEN" in processes
    records = [str(entry) for entry in await runs.site.recorded()]
    events = await runs.site.store.read(lambda tx: tx.events(limit=500))
    for trace in (str(shown), str(outcomes), processes, str(records), str(events)):
        assert value[:12] not in trace.replace("\\'", "'")
        assert base64.b64encode(value.encode()).decode()[:40] not in trace


async def test_a_script_without_its_secret_does_not_run(runs: Runs, tmp_path: Path) -> None:
    text = b'---\nparameters:\n  token: {type: secret, env: TOKEN}\n---\ntouch FOLDER/ran; : "$TOKEN"'
    runbook = parse("x.runbook.sh", text.replace(b"FOLDER", str(tmp_path).encode()))
    values, _ = check(runbook, {"token": "a/b"}, Known(secrets=frozenset({"a/b"})))
    made = replace(render(runbook, "c" * 40, Part.RUN, values), name="ops/x")
    for vault, said in ((Values(), "can not be read"), (Values(ref="two\nlines"), "line breaks"), (None, "no secret")):
        secrets = None if vault is None else RunSecrets([SecretRule("a/b", "ref", ("ops/*",))], vault)
        runs.site.gateway.ports = replace(runs.site.gateway.ports, secrets=secrets)  # type: ignore[type-var]
        (outcome,) = await runs.execute(await runs.granted(made), made.steps)
        assert not outcome.ok
        assert said in outcome.message
    assert not (tmp_path / "ran").exists()
