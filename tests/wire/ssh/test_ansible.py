"""Ansible as it is, over the gateway: its modules are programs on a pipe, so they need a grant that runs what nobody can judge."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from access.policy import DEFAULT_MATRIX, Action, Policy
from access.resources import Files, SshRules
from access.scopes import Interactive, Level, Write
from access.statements import Effect
from tests.wire.ssh.site import Site, Target, open_site

pytestmark = pytest.mark.skipif(shutil.which("ansible-playbook") is None, reason="Ansible is not installed")

#: What docs/ssh.md tells the owner to write: policy.scopes: {interactive: {danger: allow}}.
AS_DOCUMENTED = Policy(
    hold_seconds=5,
    matrix={**DEFAULT_MATRIX, Level.INTERACTIVE: {**DEFAULT_MATRIX[Level.INTERACTIVE], Effect.DANGER: Action.ALLOW}},
)
PLAY = """
- hosts: web-1
  gather_facts: false
  tasks:
    - ping:
    - copy: {content: "hello from {{ inventory_hostname }}\\n", dest: "PLACE/made", mode: "0640"}
    - lineinfile: {path: "PLACE/made", line: more}
    - command: cat PLACE/made
      register: out
      changed_when: false
    - assert: {that: ["out.stdout == 'hello from web-1\\nmore'"]}
"""


async def ansible(site: Site, place: Path, *command: str) -> tuple[int | None, str]:
    """One of Ansible's programs with the inventory of docs/ssh.md."""
    options = await site.options()
    config = place / "ssh_config"
    config.write_text(
        f"Host web-1\n  HostName 127.0.0.1\n  Port {site.gateway.port}\n  User web-1\n  IdentityFile {await site.key()}\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {options[options.index('IdentitiesOnly=yes') + 2].partition('=')[2]}\n"
    )
    (place / "inventory").write_text("web-1 ansible_python_interpreter=/usr/bin/python3\n")
    (place / "ansible.cfg").write_text(
        f"[defaults]\ninventory = {place}/inventory\nremote_tmp = {place}/remote\nlocal_tmp = {place}/local\n"
        f"[ssh_connection]\npipelining = True\nssh_args = -F {config} -o ControlMaster=auto -o ControlPersist=5\n"
        f"control_path_dir = {place}/cp\n"
    )
    process = await asyncio.create_subprocess_exec(
        *command, cwd=place, env={**os.environ, "ANSIBLE_CONFIG": f"{place}/ansible.cfg", "ANSIBLE_NOCOLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    return process.returncode, out.decode()


async def test_a_playbook_through_the_gateway(target: Target, tmp_path: Path) -> None:
    place = tmp_path / "a"
    place.mkdir()
    async with open_site(target, tmp_path, policy=AS_DOCUMENTED) as site:
        resource = replace(site.resource, ssh=SshRules(files=Files.WRITE, paths=(f"{place}/**",)))
        site.gateway.resources = {resource.name: resource}
        await site.grant(Interactive())
        (place / "play.yml").write_text(PLAY.replace("PLACE", str(place)))
        status, out = await ansible(site, place, "ansible-playbook", "play.yml")
        assert status == 0, out
        assert "failed=0" in out
        assert (place / "made").read_text() == "hello from web-1\nmore\n"
        ran = await site.facts("statement.allowed")
        assert any("sftp put" in str(fact.payload["statement"]) for fact in ran)
        assert any("python3" in str(fact.payload["statement"]) for fact in ran)


async def test_under_a_write_grant_it_waits_for_somebody_to_look(target: Target, tmp_path: Path) -> None:
    place = tmp_path / "a"
    place.mkdir()
    async with open_site(target, tmp_path, policy=Policy(hold_seconds=1)) as site:
        await site.grant(Write())
        status, out = await ansible(site, place, "ansible", "web-1", "-m", "ping")
        assert status != 0
        assert "python3 runs whatever it is given" in out
