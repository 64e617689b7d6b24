"""Mistakes in the `ssh` section of a resource are named where they are."""

from __future__ import annotations

from typing import Any

import pytest

from access.resources import Protocol, Resource, Upstream
from app.config_ssh import ssh_problems
from app.core import address_of
from app.settings import Settings
from app.settings_resources import ResourceSettings


def found(protocol: str = "ssh", **ssh: Any) -> list[str]:
    entry = ResourceSettings(
        name="web-1", protocol=protocol, upstream={"host": "h", "user": "u"}, approvers=["dba"], ssh=ssh,  # type: ignore[arg-type]
    )  # fmt: skip
    return [what for _, what in ssh_problems(entry, ("resources", 0))]


def test_what_is_right() -> None:
    right: dict[str, Any] = {
        "files": "read", "paths": ["/srv/app/**", "/var/log/*.log"], "environment": ["LANG", "LC_*"],
        "forward_to": ["127.0.0.1:9090", "intern:*", "[::1]:80"],
        "forward_from": ["localhost:9000", "10.0.0.5:*", "[::1]:9000"], "agent": True, "x11": True,
    }  # fmt: skip
    assert found(**right) == []


@pytest.mark.parametrize(
    ("ssh", "words"),
    [
        ({"files": "read"}, "is needed with files"), ({"paths": ["srv/app"]}, "absolute"), ({"paths": ["/srv/../etc/**"]}, "absolute"),
        ({"environment": ["*"]}, "name of a variable"), ({"environment": ["LD_*"]}, "cannot pass"), ({"environment": ["PATH"]}, "cannot pass"),
        ({"environment": ["A B"]}, "name of a variable"), ({"forward_to": ["intern"]}, "host:port"), ({"forward_to": ["intern:99999"]}, "host:port"),
        ({"forward_to": ["*:80"]}, "host:port"), ({"forward_from": ["9000"]}, "host:port"), ({"forward_from": ["localhost:0"]}, "host:port"),
        ({"forward_from": ["*:9000"]}, "host:port"), ({"forward_from": ["0.0.0.0:9000"]}, "every address"), ({"forward_from": ["[::]:*"]}, "every address"),
        ({"forward_from": ["0:9000"]}, "every address"),
    ],
)  # fmt: skip
def test_what_is_wrong(ssh: dict[str, Any], words: str) -> None:
    assert any(words in what for what in found(**ssh)), found(**ssh)


def test_only_for_servers() -> None:
    assert found("postgres", terminal=True) == ["is used only with protocol: ssh"]


def test_what_people_connect_to_is_the_listener_of_its_protocol() -> None:
    """The console and Slack's home showed the database's port for servers."""
    listeners = {"postgres": {"port": 15432}, "ssh": {"port": 2222, "public_host": "ssh.example.com"}}
    settings = Settings.model_validate({"listeners": listeners})
    server, base = (
        Resource("x", protocol, Upstream("h", 1, "u", "")) for protocol in (Protocol.SSH, Protocol.POSTGRES)
    )
    assert (address_of(settings, server).host, address_of(settings, server).port) == ("ssh.example.com", 2222)
    assert address_of(settings, base).port == 15432
