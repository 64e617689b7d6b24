"""A whole `hoop serve`: a process each, two proxies on one port; one is killed and comes back; one signal ends all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from app.__main__ import main
from app.demo.site import free_port

ROOT = Path(__file__).parents[3]


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_it_is_supervised(tmp_path: Path) -> None:
    gateway, path = free_port(0), tmp_path / "hoop.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "store": {"key": "file:store.key"},
                "ledger": {"signing_key": "file:store.key"},
                "listeners": {"postgres": {"port": gateway}, "web": {"port": free_port(0)}},
                "people": [{"wire_name": "dana", "name": "Dana"}, {"wire_name": "ann", "name": "Ann"}],
                "groups": {"dba": ["ann"]},
                "proxy": {"workers": 2},
            }
        )
    )
    main(["keygen", str(tmp_path / "store.key")])
    main(["--config", str(path), "db", "upgrade"])
    command = [sys.executable, "-m", "app", "--config", str(path), "serve"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log)

    def children() -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = json.loads((tmp_path / "processes.json").read_text())["children"]
        except FileNotFoundError:
            return []
        return found

    try:
        until(lambda: len(children()) == 4 and all(one["ready"] for one in children()))
        names = [one["name"] for one in children()]
        assert names == ["proxy 1", "proxy 2", "worker", "web"]
        os.kill(children()[0]["pid"], signal.SIGKILL)
        until(lambda: children()[0]["starts"] == 2 and children()[0]["ready"])
        for _ in range(8):
            socket.create_connection(("127.0.0.1", gateway), 5).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    said = (tmp_path / "log").read_text()
    assert "proxy 1 ended with status -9; starting it again" in said and "Traceback" not in said
