"""People's SSH keys and configuration, from chat. Both steps of a key are the account's own, and each one is told to it in
private, with the fingerprint that `ssh-keygen -lf` prints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from access.errors import Invalid
from access.ports import ActionToken
from access.resources import Protocol
from access.ssh_certificates import PersonalCertificate, is_certificate, serial_of
from access.ssh_keys import RegisteredKey
from access.ssh_logins import choose, confirm
from bot.cards import Card, Code, Do, Moment, text
from bot.intents_ssh import Key, KeyDo, Login, SshConfig
from bot.kit import Kit
from bot.platform import Caller, Reply
from bot.ssh_side import ssh_config
from bot.tokens import subject
from bot.views import parts
from bot.views.answers import done_card


def servers_of(kit: Kit) -> list[str]:
    """The resources that are reached by SSH. Raises Invalid when there is none."""
    found = [resource.name for resource in kit.resources() if resource.protocol is Protocol.SSH]
    if not found or kit.ssh is None:
        raise Invalid("No resource here is reached by SSH.")
    return found


async def key(kit: Kit, intent: Key, who: Caller, reply: Reply) -> None:
    """Raises Invalid for what is no usable key, Conflict for one that is registered already."""
    person = kit.person(who)
    servers_of(kit)
    assert kit.ssh is not None
    keys = kit.ssh.keys
    match intent.do:
        case KeyDo.LIST:
            await reply.card(_list_card(await keys.of(person.id), await keys.certificates.of(person.id)))
        case KeyDo.ADD:
            added = await keys.add(person.id, intent.text)
            await reply.card(_added_card(added))
        case KeyDo.CONFIRM:
            confirmed = await keys.confirm(person.id, intent.text)
            await reply.card(done_card(f"{confirmed.fingerprint} logs in as you from now on.", hint=_HINT))
        case KeyDo.REMOVE if is_certificate(intent.text):
            ended = await keys.certificates.revoke(person.id, serial_of(intent.text), person.id)
            names = ", ".join(one.name for one in ended)
            await reply.card(done_card(f"{names}: revoked. Whoever came with it is cut off."))
        case KeyDo.REMOVE:
            removed = await keys.remove(person.id, intent.text)
            await reply.card(done_card(f"{removed.fingerprint} logs in no more."))


async def config(kit: Kit, _: SshConfig, who: Caller, reply: Reply) -> None:
    """The block for ~/.ssh/config with the gateway's fingerprint. Raises Invalid, Unavailable."""
    person = kit.person(who)
    names = servers_of(kit)
    assert kit.ssh is not None
    place = kit.ssh.place()
    known, _blank, *block = ssh_config(place, names, "").splitlines()
    await reply.card(
        Card(
            kind="ssh_config",
            state=parts.PRIVATE,
            title=text("Your way in by SSH"),
            fallback="What to put into ~/.ssh/config.",
            lines=(
                text("The gateway shows the host key ", Code(place.fingerprint), ". Its line for known_hosts:"),
                text(Code(known.partition(":  ")[2])),
                text(
                    "For ~/.ssh/config (with a token instead of a key, the user is ",
                    Code(f"{person.wire_name}+NAME"),
                    "):",
                ),
                *(text(Code(line)) for line in block if line),
            ),
            private=True,
        )
    )


async def login(kit: Kit, intent: Login, who: Caller, reply: Reply) -> None:
    """Let a login in. Raises Invalid for a number that is not one of this person's."""
    person = kit.person(who)
    resource, client = await kit.store.transact(lambda tx: confirm(tx, intent.number, person.id))
    message = f"Let in: you, on {resource}, from {client}."
    await reply.card(done_card(message, hint="Was that not you? /hoop sessions lists it, with Kill."))


async def _chosen(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    """A number was chosen, or "this is not me". Raises Invalid when that login is over."""
    person = kit.person(who)
    attempt, _, number = subject(row).partition(" ")
    right, resource, client = await kit.store.transact(lambda tx: choose(tx, attempt, number, person.id))
    if right:
        await reply.card(done_card(f"Let in: you, on {resource}, from {client}."))
        return
    said = "That is not the number of that terminal." if number else "Noted: that was not you."
    await reply.card(
        done_card(
            f"{said} Nobody was let in on {resource} from {client}.",
            hint="For ten minutes nobody is asked to choose; only what you type lets in: /hoop login NUMBER",
        )
    )


PRESSED: Mapping[Do, Callable[[Kit, ActionToken, str, Caller, Reply], Awaitable[None]]] = {Do.CHOOSE: _chosen}
_HINT = "ssh-config prints what to put into ~/.ssh/config."


def _added_card(added: RegisteredKey) -> Card:
    return Card(
        kind="key",
        state=parts.NOTE,
        title=text("Is this your key?"),
        fallback=f"Confirm the key {added.fingerprint}.",
        lines=(
            text(
                "Its fingerprint is ", Code(added.fingerprint), "; ", Code("ssh-keygen -lf FILE.pub"), " prints yours."
            ),
            text("It logs in as you once you say: ", Code(f"/hoop key confirm {added.fingerprint}")),
        ),
        private=True,
    )


def _list_card(keys: Sequence[RegisteredKey], certificates: Sequence[PersonalCertificate]) -> Card:
    lines = [
        text(Code(one.fingerprint), f" {one.name}" if one.name else "", "" if one.confirmed else " — not confirmed")
        for one in keys
    ]
    lines += [
        text(Code(one.name), " — a certificate until ", Moment(one.until), f", asked for from {one.client}")
        for one in certificates
    ]
    if not lines:
        lines = [text("You have none. Add one: ", Code("/hoop key add ssh-ed25519 AAAA…"))]
    return Card("keys", parts.PRIVATE, text("Your SSH keys"), "Your SSH keys.", lines=tuple(lines), private=True)
