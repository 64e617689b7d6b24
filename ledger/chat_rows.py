"""Values of the chat side to rows and back (see `rows`)."""

from __future__ import annotations

import json

from access.ids import RequestId
from access.ports import ActionToken, MessageRef, OutboxItem
from ledger.chain import canonical, micros, moment
from ledger.rows import AnyRow, Values, maybe_micros, maybe_moment
from ledger.sealing import Sealer


def outbox_values(item: OutboxItem, sealer: Sealer) -> Values:
    return {
        "target": item.target,
        "kind": item.kind,
        "replaces": item.coalesce,
        "attempts": item.attempts,
        "not_before": maybe_micros(item.not_before),
        "error": "",
        "sealed": sealer.seal(canonical(dict(item.payload)), f"outbox/{item.target}"),
    }


def outbox_from(row: AnyRow, sealer: Sealer) -> OutboxItem:
    return OutboxItem(
        target=row.target,
        kind=row.kind,
        payload=json.loads(sealer.open(row.sealed, f"outbox/{row.target}")),
        coalesce=row.replaces,
        id=row.number,
        attempts=row.attempts,
        not_before=maybe_moment(row.not_before),
    )


def token_values(token: ActionToken, digest: str) -> Values:
    return {
        "digest": digest,
        "action": token.action,
        "request": token.request,
        "revision": token.revision,
        "audience": token.audience,
        "expires_at": micros(token.expires_at),
        "data": canonical(dict(token.arguments)),
    }


def token_from(row: AnyRow, token: str) -> ActionToken:
    return ActionToken(
        token=token,
        action=row.action,
        request=RequestId(row.request),
        revision=row.revision,
        expires_at=moment(row.expires_at),
        audience=row.audience,
        arguments=json.loads(row.data),
    )


def ref_values(ref: MessageRef) -> Values:
    return {
        "subject": ref.subject,
        "kind": ref.kind,
        "platform": ref.platform,
        "channel": ref.channel,
        "audience": ref.audience,
        "message": ref.message,
        "thread": ref.thread,
        "data": canonical({"rendered": ref.rendered}),
    }


def ref_from(row: AnyRow) -> MessageRef:
    return MessageRef(
        subject=row.subject,
        kind=row.kind,
        platform=row.platform,
        channel=row.channel,
        message=row.message,
        thread=row.thread,
        audience=row.audience,
        rendered=json.loads(row.data)["rendered"],
    )
