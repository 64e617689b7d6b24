"""What the target asks the agent of somebody's keys (draft-ietf-sshm-ssh-agent): which keys there are, and for signatures.
Nothing else is passed on: not keys to add, not keys to remove, no locking. Pure."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

REQUEST_IDENTITIES, SIGN_REQUEST, EXTENSION = 11, 13, 27
#: Ties a connection of the agent to the hosts on its way, for keys that are good for some hosts only (`ssh-add -h`).
SESSION_BIND = b"session-bind@openssh.com"
#: What is not passed on is asked as this instead: no agent knows it, so it answers that it failed, in its turn.
UNKNOWN = b"refused@hoop"
#: OpenSSH's own limit of one message, in bytes.
MESSAGE_MAX = 256 * 1024
USERAUTH_REQUEST = 50


class NotAgent(ValueError):
    """Bytes that are not of this protocol."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message as it goes to the agent. `key` is the fingerprint of the key a signature is wanted of and `purpose` what for;
    `refused` says what it was, when it is not passed on."""

    message: bytes
    key: str = ""
    purpose: str = ""
    refused: str = ""


@dataclass(slots=True)
class Requests:
    """Cuts a stream of requests into messages."""

    _kept: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Wanted]:
        """The messages that are whole now. Raises NotAgent; then the stream is over."""
        self._kept += data
        found: list[Wanted] = []
        while len(self._kept) >= 4:
            length = int.from_bytes(self._kept[:4], "big")
            if not 0 < length <= MESSAGE_MAX:
                raise NotAgent(f"a message of {length} bytes")
            if len(self._kept) < 4 + length:
                break
            found.append(wanted(bytes(self._kept[4 : 4 + length])))
            del self._kept[: 4 + length]
        return found


def wanted(body: bytes) -> Wanted:
    """One request. Raises NotAgent."""
    kind = body[0]
    if kind == REQUEST_IDENTITIES and len(body) == 1:
        return Wanted(_framed(body))
    if kind == SIGN_REQUEST:
        key, rest = _string(body[1:])
        data, rest = _string(rest)
        if len(rest) != 4:
            raise NotAgent("a request for a signature with more than that")
        return Wanted(_framed(body), key=_fingerprint(key), purpose=purpose_of(data))
    if kind == EXTENSION:
        name, _ = _string(body[1:])
        if name == SESSION_BIND:
            return Wanted(_framed(body))
        return Wanted(_framed(_unknown()), refused=f"the extension {name[:40].decode('ascii', 'replace')}")
    return Wanted(_framed(_unknown()), refused=f"a request of kind {kind}")


def purpose_of(data: bytes) -> str:
    """What is signed: a login (RFC 4252, section 7) names its account, a signature of files its purpose (SSHSIG)."""
    try:
        if data.startswith(b"SSHSIG"):
            return f"a signature for {_text(_string(data[6:])[0])}"
        _, rest = _string(data)
        if rest[:1] == bytes([USERAUTH_REQUEST]):
            user, rest = _string(rest[1:])
            _, rest = _string(rest)
            if _string(rest)[0].startswith(b"publickey"):
                return f"a login as {_text(user)}"
    except NotAgent:
        pass
    return "something that is no login"


def _text(value: bytes) -> str:
    return value[:64].decode("utf-8", "replace")


def _string(data: bytes) -> tuple[bytes, bytes]:
    """A string (RFC 4251, section 5), and what follows it."""
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length:
        raise NotAgent("a string that is longer than its message")
    return data[4 : 4 + length], data[4 + length :]


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def _unknown() -> bytes:
    return bytes([EXTENSION]) + _framed(UNKNOWN)


def _fingerprint(key: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
