"""What the gateway shows a target to be let in: a password, a private key with or without a passphrase, or a certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncssh

from access.ports import Clock, Vault
from access.resources import Upstream
from proxy.ssh.personal import presented

#: A key, or one with its certificate.
Key = asyncssh.SSHKey | tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]


class UnusableCredential(Exception):
    """What the vault gave cannot be used. The text says why, without secrets."""


@dataclass(frozen=True, slots=True)
class Proof:
    """`password` is empty when there is none."""

    password: str = ""
    keys: Sequence[Key] = ()


def proof_of(vault: Vault, clock: Clock, upstream: Upstream) -> Proof:
    """Read anew each time, so that what is changed in the vault counts from the next login on. It may take a moment: a
    passphrase is meant to. Raises UnusableCredential, Unavailable."""
    password = vault.secret(upstream.secret) if upstream.secret else ""
    if not upstream.private_key:
        return Proof(password)
    passphrase = vault.secret(upstream.passphrase) if upstream.passphrase else None
    try:
        key = asyncssh.import_private_key(vault.secret(upstream.private_key), passphrase)
    except asyncssh.KeyEncryptionError:
        raise UnusableCredential("its passphrase does not open the gateway's private key") from None
    except asyncssh.KeyImportError as problem:
        # asyncssh says this of an encrypted key that it was given no passphrase for.
        if "passphrase" in str(problem).lower():
            raise UnusableCredential("the gateway's private key needs a passphrase: upstream.passphrase") from None
        raise UnusableCredential("the gateway's private key cannot be read") from None
    if not upstream.certificate:
        return Proof(password, [key])
    return Proof(password, [(key, _certificate(vault.secret(upstream.certificate), key, clock))])


def _certificate(text: str, key: asyncssh.SSHKey, clock: Clock) -> asyncssh.SSHCertificate:
    """Raises UnusableCredential for one that would not let anybody in."""
    try:
        certificate = asyncssh.import_certificate(text)
    except (asyncssh.KeyImportError, ValueError):
        raise UnusableCredential("the certificate of the gateway's key cannot be read") from None
    if certificate.key.public_data != key.public_data:
        raise UnusableCredential("the certificate is for another key than the gateway's")
    if presented(certificate).before <= clock.now().timestamp():
        raise UnusableCredential("the certificate of the gateway's key is over")
    return certificate
