"""SCRAM-SHA-256 to the client (RFC 5802, RFC 7677; documentation, "SASL Authentication"), on the library `scramp`."""

from __future__ import annotations

import scramp

from proxy.postgres.frames import FrameError
from proxy.postgres.messages import Reader
from proxy.verifiers import MECHANISM, AuthenticationFailed, Verifier


class ScramServer:
    """One authentication exchange: the two messages of the client in, the two of the server out."""

    def __init__(self, verifier: Verifier, nonce: str) -> None:
        self._verifier = verifier
        mechanism = scramp.ScramMechanism(MECHANISM)
        self._server = mechanism.make_server(self._lookup, s_nonce=nonce)

    def _lookup(self, _user: str) -> tuple[bytes, bytes, bytes, int]:
        v = self._verifier
        return v.salt, v.stored_key, v.server_key, v.iterations

    def first(self, frame: bytes) -> bytes:
        """SASLInitialResponse in, the payload of AuthenticationSASLContinue out. Raises AuthenticationFailed."""
        try:
            reader = Reader(frame)
            mechanism, data = reader.name(), reader.value()
            reader.end()
            if mechanism != MECHANISM or data is None:
                raise AuthenticationFailed
            message = data.decode()
            header, bare = _split(message)
            # libpq leaves the user name empty, the startup packet has it; the library wants one. The signatures are
            # made over the client's own bytes, so those are put back.
            self._server.set_client_first(header + bare.replace("n=,", "n=*,", 1))
            self._server.client_first_bare = bare
            answer: str = self._server.get_server_first()
        except (FrameError, UnicodeDecodeError, ValueError, scramp.ScramException):
            raise AuthenticationFailed from None
        return answer.encode()

    def final(self, frame: bytes) -> bytes:
        """SASLResponse in, the payload of AuthenticationSASLFinal out. Raises AuthenticationFailed."""
        try:
            self._server.set_client_final(Reader(frame).rest().decode())
            answer: str = self._server.get_server_final()
        except (FrameError, UnicodeDecodeError, ValueError, scramp.ScramException):
            raise AuthenticationFailed from None
        if not self._verifier.genuine:
            raise AuthenticationFailed
        return answer.encode()


def _split(message: str) -> tuple[str, str]:
    """The GS2 header (flag and authorisation name, each with its comma) and the rest. Raises ValueError."""
    flag, name, bare = message.split(",", 2)
    return f"{flag},{name},", bare
