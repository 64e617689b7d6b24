"""`hoop serve` as a process: ready, probed, drained; and what it says when it cannot start."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.__main__ import main
from app.demo.site import free_port
from tests.fakes.certificates import self_signed
from tests.patience import STARTED

pytestmark = pytest.mark.wire

#: All roles in one process, which starts faster than three.
TOGETHER = ("--only", "web,proxy,worker")


def config(home: Path, gateway: int, web: int, **more: str) -> Path:
    path = home / "hoop.yaml"
    path.write_text(
        f"""
store: {{key: "file:store.key"}}
ledger: {{signing_key: "file:store.key"}}
listeners: {{postgres: {{port: {gateway}}}, web: {{port: {web}}}}}
people: [{{wire_name: dana, name: Dana}}, {{wire_name: ann, name: Ann}}]
groups: {{dba: [ann]}}
resources: [{{name: prod-db, upstream: {{host: 127.0.0.1, port: 1, user: g, database: d}}, approvers: [dba]}}]
"""
    )
    main(["keygen", str(home / "store.key")])
    main(["--config", str(path), "db", "upgrade"])
    return path


@contextmanager
def served(path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", "app", "--config", str(path), "serve", *arguments]
    process = subprocess.Popen(command, cwd=path.parent, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def until_ready(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + STARTED
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if get(port, "/readyz")[0] == 200:
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    raise AssertionError(process.communicate()[1])


def test_it_is_ready_probed_and_drains_on_sigterm(tmp_path: Path) -> None:
    gateway, web = free_port(0), free_port(0)
    with served(config(tmp_path, gateway, web), *TOGETHER) as process:
        until_ready(process, web)
        assert json.loads(get(web, "/healthz")[1]) == {"status": "ok"}
        assert json.loads(get(web, "/readyz")[1]) == {"status": "ready"}
        metrics = get(web, "/metrics")[1]
        assert "hoop_sessions_open 0.0" in metrics
        assert "process_cpu_seconds_total" in metrics
        assert get(web, "/")[0] == 401, "the console wants a login outside of the demo"
        with socket.create_connection(("127.0.0.1", gateway), timeout=5) as half_open:
            half_open.sendall(b"\x00\x00")
            process.send_signal(signal.SIGTERM)
            error = process.communicate(timeout=STARTED)[1]
        assert process.returncode == 0, error
        assert "Traceback" not in error
        assert re.search("stopping: no new connections", error)
    assert (tmp_path / "checkpoints.txt").exists(), "a checkpoint is signed at the end"


def until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}: {lines}")


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    error = process.communicate(timeout=STARTED)[1]
    assert process.returncode == 0, error


def test_every_role_runs_alone(tmp_path: Path) -> None:
    """The third one, `proxy`, does below."""
    path = config(tmp_path, free_port(0), free_port(0))
    with served(path, "--only", "web") as web, served(path, "--only", "worker") as worker:
        until(web, "ready: web")
        until(worker, "ready: worker")
        stop(web)
        stop(worker)


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        path = config(tmp_path, port := taken.getsockname()[1], free_port(0))
        with served(path, *TOGETHER) as process:
            error = process.communicate(timeout=STARTED)[1]
    assert process.returncode == 1
    assert f"hoop: listeners.postgres: cannot listen on 127.0.0.1:{port}: Address already in use." in error
    assert "Traceback" not in error


def test_a_store_without_schema_is_not_served(tmp_path: Path) -> None:
    path = config(tmp_path, free_port(0), free_port(0))
    (tmp_path / "hoop.db").unlink()
    (tmp_path / "yaml.py").write_text("raise SystemExit('what lies where it is started was run')")
    with served(path) as process:
        error = process.communicate(timeout=STARTED)[1]
    assert process.returncode == 1
    assert "hoop db upgrade" in error
    assert "was run" not in error
    assert "Traceback" not in error


def _certificate(port: int) -> bytes:
    """What the gateway shows now, at a connection that begins with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["postgresql"])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw, context.wrap_socket(raw) as secure:
        return secure.getpeercert(binary_form=True) or b""


def test_sighup_reads_the_certificate_again(tmp_path: Path) -> None:
    gateway, pem = free_port(0), self_signed(tmp_path / "tls.pem")
    path = config(tmp_path, gateway, free_port(0))
    offered = f"postgres: {{port: {gateway}, tls_certificate: tls.pem, tls_key: tls.pem}}"
    path.write_text(path.read_text().replace(f"postgres: {{port: {gateway}}}", offered))
    with served(path, "--only", "proxy") as process:
        until(process, "ready: proxy")
        before = _certificate(gateway)
        process.send_signal(signal.SIGHUP)  # nothing changed, so nobody but the signal makes it look
        until(process, "is in use from now on")
        assert _certificate(gateway) == before
        pem.write_bytes(b"no certificate")
        process.send_signal(signal.SIGHUP)
        until(process, "the certificate before it stays")
        assert _certificate(gateway) == before
        self_signed(pem)
        process.send_signal(signal.SIGHUP)
        until(process, "is in use from now on")
        assert _certificate(gateway) not in {b"", before}
        stop(process)
