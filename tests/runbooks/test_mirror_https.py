"""Fetching over https from Git's own server program: tokens, authorities of one's own, and what is refused."""

from __future__ import annotations

import base64
import gc
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from access.errors import Unavailable
from app.runbooks import catalog
from app.settings import Settings
from app.settings_runbooks import RepositorySettings, RunbookSettings
from runbooks.catalog import Catalog
from runbooks.mirror import Mirror
from runbooks.transports import Origin
from tests.fakes.certificates import authority, self_signed
from tests.fakes.vault import Values
from tests.runbooks.test_mirror import GOOD, Work

TOKEN = "glpat-0123456789-abcdef"
BACKEND = Path(
    subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    if shutil.which("git")
    else "/nowhere"
).joinpath("git-http-backend")


@dataclass
class GitHost:
    """A server of the repositories in a folder, for those who show the token."""

    root: Path
    ca: Path
    port: int = 0
    seen: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)

    def url(self, name: str = "work", host: str = "127.0.0.1") -> str:
        return f"https://{host}:{self.port}/{name}/.git"

    def origin(self, **more: object) -> Origin:
        return Origin("ops", self.url(), token=TOKEN, ca=str(self.ca), **more)  # type: ignore[arg-type]


def _handler(host: GitHost) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def _answer(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            host.seen.append((self.path, self.headers.get("Authorization", "")))
            for prefix, (status, where) in host.answers.items():
                if path.startswith(prefix):
                    self._say(status, {"Location": where} if where else {}, b"hello")
                    return
            wanted = "Basic " + base64.b64encode(f"git:{TOKEN}".encode()).decode()
            if self.headers.get("Authorization") != wanted:
                self._say(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                return
            environment = {
                **os.environ, "GIT_PROJECT_ROOT": str(host.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1",
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
            }  # fmt: skip
            done = subprocess.run([BACKEND], input=body, env=environment, capture_output=True, check=False)
            head, _, rest = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self._say(int(fields.pop("Status", "200").split()[0]), fields, rest)

        def _say(self, status: int, fields: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    return Handler


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    if not BACKEND.exists():
        pytest.skip("needs git to make repositories")
    (tmp_path / "tls").mkdir()
    signer = authority(tmp_path / "tls")
    found = GitHost(tmp_path, signer.path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signer.sign("git-host"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    found.port = server.server_address[1]
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    yield found
    server.shutdown()
    serving.join()
    server.server_close()


def test_it_fetches_with_its_token_and_its_own_authority(host: GitHost, tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    first = work.commit(refund=GOOD)
    vault = Values(**{"env:TOKEN": f"{TOKEN}\n"})
    entry = RepositorySettings(name="ops", url=host.url(), token="env:TOKEN", ca="tls/ca.pem")
    settings = Settings(runbooks=RunbookSettings(library=False, repositories=[entry], mirrors="mirrors"))
    mirror = catalog(settings, tmp_path, vault).mirrors["ops"]
    assert mirror.refresh() == first
    assert list(mirror.files(first)[0]) == ["refund.runbook.sql"]
    second = work.commit("More", other=GOOD)
    assert mirror.refresh() == mirror.refresh() == second
    assert sorted(mirror.files(second)[0]) == ["other.runbook.sql", "refund.runbook.sql"]
    written = b"".join(path.read_bytes() for path in (tmp_path / "mirrors").rglob("*") if path.is_file())
    assert TOKEN.encode() not in written
    assert TOKEN not in repr(mirror.origin)


@contextmanager
def collected() -> Iterator[None]:
    """dulwich leaves the connection of an answer that it does not take to the garbage collector, which warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def why(mirror: Mirror) -> str:
    with collected():
        with pytest.raises(Unavailable) as refused:
            mirror.refresh()
        said = f"{refused.value.message} {refused.value.hint}"
        del refused
    assert TOKEN not in said
    return said


def test_what_https_refuses(host: GitHost, tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    work.commit(refund=GOOD)
    other = self_signed(tmp_path / "other.pem")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"https://127.0.0.1:{closed.getsockname()[1]}/x"
        cases = {
            "the host refused it": Origin("ops", host.url(), ca=str(host.ca)),
            "refused it. It needs a token": Origin("ops", host.url(), ca=str(host.ca), token="wrong"),
            "no repository at its address": Origin("ops", host.url("gone"), ca=str(host.ca), token=TOKEN),
            "certificate is not trusted": Origin("ops", host.url(), ca=str(other), token=TOKEN),
            "not trusted. An authority": Origin("ops", host.url(), token=TOKEN),
            "certificate is not": Origin("ops", host.url(host="localhost"), ca=str(host.ca), token=TOKEN),
            "cannot be reached": Origin("ops", nobody, ca=str(host.ca), token=TOKEN),
            "no branch gone": host.origin(branch="gone"),
        }
        for said, origin in cases.items():
            assert said in why(Mirror(origin, tmp_path / "m.git")), said


def test_a_redirect_is_not_followed_and_gets_no_token(host: GitHost, tmp_path: Path) -> None:
    Work(tmp_path / "work").commit(refund=GOOD)
    for where in (f"https://127.0.0.1:{host.port}/ops/.git/info/refs", "http://127.0.0.1:1/x", "file:///etc/passwd"):
        host.answers = {"/moved": (302, where)}
        host.seen.clear()
        assert "another address" in why(
            Mirror(Origin("ops", host.url("moved"), token=TOKEN, ca=str(host.ca)), tmp_path / "m.git")
        )
        assert [path.partition("?")[0] for path, _ in host.seen] == ["/moved/.git/info/refs"]


def test_an_answer_that_is_not_git_is_nothing(host: GitHost, tmp_path: Path) -> None:
    for status in (200, 403, 500):
        host.answers = {"/": (status, "")}
        assert "could not be fetched" in why(Mirror(host.origin(), tmp_path / "m.git"))


async def test_a_host_that_is_down_at_the_start_and_later(host: GitHost, tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    first = work.commit(refund=GOOD)
    found = Catalog({"ops": Mirror(host.origin(), tmp_path / "m.git")})
    host.answers = {"/": (503, "")}
    with collected():
        await found.refresh()
    assert not found.entries()
    assert "ops could not be fetched" in str(found.problems()[0][1])
    host.answers = {}
    await found.refresh()
    assert found.find("refund").commit == first
    assert not found.problems()
    host.answers = {"/": (503, "")}
    work.commit("Rewritten", "--amend", refund=GOOD.replace("title: T", "title: Other"))
    with collected():
        await found.refresh()
    assert found.find("refund").commit == first
    assert "ops could not be fetched" in str(found.problems()[0][1])
    assert (await found.at(first, "ops/refund")).title == "T"
    # Another process that starts now has what the mirror has, for what was approved; it offers nothing new.
    again = Catalog({"ops": Mirror(host.origin(), tmp_path / "m.git")})
    with collected():
        await again.refresh()
    assert (await again.at(first, "ops/refund")).title == "T"
