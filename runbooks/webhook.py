"""Whether a push notice comes from the repository's host: it knows the secret. What the notice says is never used. Pure.

GitHub, Gitea, Forgejo and Bitbucket sign the body (`X-Hub-Signature-256: sha256=…`, HMAC-SHA-256); GitLab sends the secret
itself (`X-Gitlab-Token`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

SIGNATURE, TOKEN = "X-Hub-Signature-256", "X-Gitlab-Token"


def genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether exactly one of the two proofs is there, and right. Without a secret nothing is."""
    signature, token = headers.get(SIGNATURE, ""), headers.get(TOKEN, "")
    if not secret or bool(signature) is bool(token):
        return False
    if token:
        return hmac.compare_digest(token.encode("utf-8", "replace"), secret.encode())
    wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature.encode("utf-8", "replace"), wanted.encode())
