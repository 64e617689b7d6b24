"""How a repository is reached: https, ssh, a path on this host, and nothing else. Everything here blocks."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from dulwich.client import (
    GitClient,
    HttpGitClient,
    HTTPUnauthorized,
    LocalGitClient,
    SSHGitClient,
    SSHVendor,
    SubprocessWrapper,
)
from dulwich.config import ConfigDict
from dulwich.errors import HangupException, NotGitRepository

from access.errors import Invalid, Unavailable
from runbooks.rules import Rule

#: How long one fetch may say nothing (https) or take (ssh).
SECONDS = 60.0
#: How many causes of an error are looked at.
DEEPEST = 8
_HOST = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9.-]{0,252}\Z")
_USER = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\Z")
_PATH = re.compile(r"\A/?[A-Za-z0-9_~][A-Za-z0-9._~/-]{0,400}\Z")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a repository is fetched from. `key`, `token` and `webhook` are secrets; `ca` is a file of the certificates to trust
    instead of the system's; `host_keys` lines of a known_hosts file
    without the host; `signers` the keys one of which must have signed the commit (none: any commit); `protected`: a branch
    that was rewritten is not taken; `compare` is where differences are shown, with {old} and {new}."""

    name: str
    url: str
    branch: str = "main"
    folder: str = ""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca: str = ""
    host_keys: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    webhook: str = field(default="", repr=False)
    protected: bool = False
    compare: str = ""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """A checked URL: `scheme` is https, ssh or path."""

    scheme: str
    host: str = ""
    port: int | None = None
    user: str = ""
    path: str = ""


def address_of(url: str) -> Address:
    """What a URL means. Only https, ssh and absolute paths: no other transports, no options, no passwords. Raises Invalid."""
    wrong = Invalid(
        f"{url[:80]} is not a repository a gateway fetches from.",
        field="url",
        hint="Use https://host/path, ssh://user@host/path or the absolute path of a repository on this host.",
    )
    if any(ord(char) < 33 or char in "\"'`\\" for char in url) or "::" in url or url.startswith("-"):
        raise wrong
    if url.startswith("/"):
        return Address("path", path=url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    bad = parts.password is not None or parts.query or parts.fragment or not _HOST.match(parts.hostname or "")
    if bad or ".." in parts.path.split("/") or not _PATH.match(parts.path) or parts.path == "/":
        raise wrong
    if parts.scheme == "https" and parts.username is None:
        return Address("https", parts.hostname or "", port, path=parts.path)
    if parts.scheme == "ssh" and _USER.match(parts.username or ""):
        return Address("ssh", parts.hostname or "", port, parts.username or "", parts.path)
    raise wrong


#: Error → what it means, and what to do.
_MEANINGS: tuple[tuple[type[Exception], str, str], ...] = (
    (HTTPUnauthorized, "the host refused it", "It needs a token that may read it; see `token`."),
    (NotGitRepository, "there is no repository at its address", "Or its token may not read it."),
    (HangupException, "the host ended the connection", "Compare host_keys and deploy_key with what the host has."),
)


def why_not(error: Exception) -> tuple[str, str]:
    """What an error of a remote or a transport means, and what to do; nothing of what the other side said."""
    for kind, said, hint in _MEANINGS:
        if isinstance(error, kind):
            return said, hint
    chain: list[BaseException] = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < DEEPEST:
        chain.append(inner)
    for one in chain:
        if isinstance(one, urllib3.exceptions.MaxRetryError) and "redirect" in str(one.reason):
            return "the host answers with another address", "Put the new address into `url`."
        if isinstance(one, ssl.SSLError | urllib3.exceptions.SSLError):
            return "its certificate is not trusted", "An authority of your own is given as `ca`."
        if isinstance(one, urllib3.exceptions.NewConnectionError):
            return "it cannot be reached", ""
        if isinstance(one, TimeoutError | urllib3.exceptions.TimeoutError):
            return f"it did not answer within {SECONDS:g} seconds", ""
        if isinstance(one, OSError):
            return "it cannot be reached", ""
    return f"it answered something else than Git ({type(error).__name__})", ""


@contextlib.contextmanager
def client(address: Address, origin: Origin) -> Iterator[tuple[GitClient, str]]:
    """A client for one fetch. Secrets are on disk only as long as it lasts, in a folder only we can read."""
    if address.scheme == "path":
        yield LocalGitClient(), address.path
        return
    if address.scheme == "https":
        pool = _pool(address, origin)
        try:
            yield _https(address, origin, pool), address.path
        finally:
            pool.clear()
        return
    folder = Path(tempfile.mkdtemp(prefix="hoop-git-"))
    try:
        with contextlib.closing(_Ssh(_ssh_options(folder, address, origin))) as vendor:
            yield SSHGitClient(address.host, port=address.port, username=address.user, vendor=vendor), address.path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _https(address: Address, origin: Origin, pool: urllib3.PoolManager) -> HttpGitClient:
    """No configuration of the machine's: no other addresses, no other credentials."""
    port = f":{address.port}" if address.port else ""
    name, secret = ("git", origin.token) if origin.token else (None, None)
    base = f"https://{address.host}{port}"
    return HttpGitClient(base, username=name, password=secret, timeout=SECONDS, pool_manager=pool, config=ConfigDict())


def _pool(address: Address, origin: Origin) -> urllib3.PoolManager:
    """Connections by the machine's proxy and certificates. No redirect is followed: it could lead to another host, or off
    https."""
    never = urllib3.Retry(total=None, connect=0, read=0, redirect=0, status=0, other=0)
    options: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED", "retries": never}
    if origin.ca:
        options["ca_certs"] = origin.ca
    proxy = None if proxy_bypass(address.host) else getproxies().get("https")
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


def _ssh_options(folder: Path, address: Address, origin: Origin) -> list[str]:
    """No configuration of the machine's, no agent, no trust on first use."""
    if not origin.host_keys or not origin.key:
        raise Unavailable(f"{origin.name}: ssh needs deploy_key and host_keys.", hint="See `ssh-keyscan HOST`.")
    name = f"[{address.host}]:{address.port}" if address.port and address.port != 22 else address.host
    known, key = folder / "known_hosts", folder / "key"
    for path, text in ((known, "".join(f"{name} {line}\n" for line in origin.host_keys)), (key, origin.key + "\n")):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "none",
        "ConnectTimeout": "10",
    }
    pairs = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "none", "-i", str(key), "-T", *pairs]


class _Ssh(SSHVendor):
    """OpenSSH with our options and nothing else."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline: threading.Timer | None = None

    def close(self) -> None:
        """End what was started, however the fetch went."""
        if self._deadline is not None:
            self._deadline.cancel()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def run_command(
        self,
        host: str,
        command: bytes,
        username: str | None = None,
        port: int | None = None,
        password: str | None = None,
        key_filename: str | None = None,
        ssh_command: str | None = None,
        protocol_version: int | None = None,
    ) -> SubprocessWrapper:
        """Start the remote's upload-pack. The host was checked, so it cannot be an option."""
        del password, key_filename, ssh_command, protocol_version
        words = [*self._command, *(["-p", str(port)] if port else []), "-l", username or "git", "--", host]
        self._process = process = subprocess.Popen(
            [*words, os.fsdecode(command)],
            bufsize=0,  # what is written must go out at once: the other side waits for it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # A remote that says nothing must not hold up the others.
        self._deadline = threading.Timer(SECONDS, process.kill)
        self._deadline.daemon = True
        self._deadline.start()
        return SubprocessWrapper(process)
