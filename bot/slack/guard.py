"""Is this HTTP request really Slack's, and new? The layer before Bolt, which checks less (notes in the tests).

Source: docs.slack.dev/authentication/verifying-requests-from-slack. Pure but for the memory of signatures.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from bot.slack.limits import BODY

OLDEST = 300
NEWEST = 60
REMEMBERED = 600
MOST = 100_000
UNSIGNED = "signature does not match"
_TIMESTAMP = re.compile(r"[0-9]{1,11}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class Nonces:
    """Signatures that were served, for ten minutes: the window of the timestamp is half of that.

    Only what was answered well is remembered, so that Slack's own retry within the same second is served.
    """

    def __init__(self) -> None:
        self._served: OrderedDict[str, float] = OrderedDict()

    def known(self, signature: str, now: float) -> bool:
        """Whether this very request was served."""
        while self._served and next(iter(self._served.values())) < now - REMEMBERED:
            self._served.popitem(last=False)
        return signature in self._served

    def served(self, signature: str, now: float) -> None:
        """Remember it. The oldest are forgotten when there are too many; the inbox still knows their deliveries."""
        self._served[signature] = now
        if len(self._served) > MOST:
            self._served.popitem(last=False)


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """Slack's v0 signature of a body."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()


def refusal(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], nonces: Nonces, now: float) -> str | None:
    """Why the request is not served, or None. Never raises, whatever the headers are. `now`: seconds since the epoch."""
    timestamp, given = headers.get("X-Slack-Request-Timestamp", ""), headers.get("X-Slack-Signature", "")
    if len(body) > BODY:
        return "body too large"
    if not _TIMESTAMP.fullmatch(timestamp):
        return "timestamp missing or malformed"
    if not -NEWEST <= now - int(timestamp) <= OLDEST:
        return "timestamp outside the window"
    if not _SIGNATURE.fullmatch(given):
        return "signature missing or malformed"
    expected = [signature_of(secret, timestamp, body) for secret in secrets if secret]
    if not any([hmac.compare_digest(one, given) for one in expected]):  # noqa: C419 - all are compared, in equal time
        return UNSIGNED
    if nonces.known(given, now):
        return "replayed"
    return None
