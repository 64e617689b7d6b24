"""The listener's certificate: read from files, and read again when they change, while connections go on."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

#: The protocol's name in TLS (documentation, chapter "Message Flow", "SSL Session Encryption").
ALPN = "postgresql"
#: How often the files are looked at, in seconds.
LOOK_SECONDS = 5.0

log = logging.getLogger(__name__)


class ServerTls:
    """Hands out the context for the next connection. Raises OSError, ssl.SSLError or ValueError when made of files
    that are no certificate with its key."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._seen = self._looks()
        self.context = self._load()
        #: Why the files are not what is in use; empty while they are.
        self.problem = ""

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols([ALPN])
        # A password callback that has none: an encrypted key is an error instead of a prompt on the terminal.
        context.load_cert_chain(self._certificate, self._key, password=lambda: "")
        return context

    def _looks(self) -> tuple[object, ...]:
        stats = (self._certificate.stat(), self._key.stat())
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in stats)

    def look(self) -> bool:
        """Read the files again when they changed; whether a new certificate is in use. One that cannot be used leaves
        the old one in use, says why in the log and in `problem`, and is tried again when it changes."""
        try:
            looks = self._looks()
        except OSError as problem:
            return self._keep(problem)
        return looks != self._seen and self.reload(looks)

    def reload(self, looks: tuple[object, ...] | None = None) -> bool:
        """As `look`, whether they changed or not."""
        try:
            self._seen = self._looks() if looks is None else looks
            self.context = self._load()
        except (OSError, ssl.SSLError, ValueError) as problem:
            return self._keep(problem)
        self.problem = ""
        log.info("the certificate %s is in use from now on", self._certificate)
        return True

    def _keep(self, problem: Exception) -> bool:
        said = f"{self._certificate} cannot be used, the certificate before it stays: {problem}"
        if said != self.problem:
            log.error("%s", said)
        self.problem = said
        return False

    async def follow(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.look)
