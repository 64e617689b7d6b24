"""Which person a Slack account is, and back: `(organisation or workspace, user)` ↔ `PersonId`, one to one.

A link is made by an owner (`hoop link`), never by the account itself and never from a profile. Keys are ids; names,
handles and e-mail addresses change hands. With `Source.EMAIL` (off unless configured) a confirmed address that exactly one
active person has is taken instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from access.actors import PersonId
from access.errors import Conflict, Denied, Invalid
from access.events import AccountLinked, AccountUnlinked
from access.ports import Directory, Store, Tx
from bot.slack.config import SlackConfig, Source
from bot.slack.members import Member

ACCOUNT = "slack.account"
PERSON = "slack.person"
MET = "slack.met"
PLATFORM = "slack"


def account_key(tenant: str, user: str) -> str:
    """`T024BE7LD/U023BECGF`, as owners write it. Raises Invalid for something else."""
    good = (
        tenant[:1] in {"T", "E"} and user[:1] in {"U", "W"} and (tenant + user).isascii() and (tenant + user).isalnum()
    )
    if not good:
        hint = "It is TENANT/USER, for example T024BE7LD/U023BECGF; hoop tells it to people who are not linked."
        raise Invalid(f"“{tenant}/{user}” is no Slack account.", field="account", hint=hint)
    return f"{tenant}/{user}"


def parse_account(text: str) -> str:
    """The canonical key that an owner typed. Raises Invalid."""
    tenant, _, user = text.strip()[:60].partition("/")
    return account_key(tenant.upper(), user.upper())


async def link(store: Store, directory: Directory, account: str, person: PersonId, by: str) -> None:
    """Link an account to a person, both not linked yet. `by` is who did it, for the ledger.

    Raises Invalid for somebody the directory does not know, Conflict when either side is linked already.
    """
    key = parse_account(account)
    known = directory.person(person)
    if known is None or not known.active:
        raise Invalid("The directory does not know that person as active.", field="person")

    def work(tx: Tx) -> None:
        for kind, one, what in ((ACCOUNT, key, "That Slack account"), (PERSON, person, "That person")):
            if tx.doc(kind, one) is not None:
                raise Conflict(f"{what} is linked already.", hint="Remove the old link first: hoop unlink …")
        tx.put_doc(ACCOUNT, key, {"person": person, "by": by, "at": tx.now.isoformat()})
        tx.put_doc(PERSON, person, {"account": key})
        tx.append(AccountLinked(stream=person, actor=by, platform=PLATFORM, account=key))

    await store.transact(work)


async def unlink(store: Store, account: str, by: str) -> PersonId:
    """Remove a link: who it was. Raises Invalid when there is none."""
    key = parse_account(account)

    def work(tx: Tx) -> PersonId:
        found = tx.take_doc(ACCOUNT, key)
        if found is None:
            raise Invalid(f"{key} is not linked.", field="account")
        person = PersonId(str(found["person"]))
        back = tx.doc(PERSON, person)
        if back is not None and back["account"] == key:
            tx.take_doc(PERSON, person)
        tx.append(AccountUnlinked(stream=person, actor=by, platform=PLATFORM, account=key))
        return person

    return await store.transact(work)


class Accounts:
    """Look-ups in both directions, from the one configured source."""

    def __init__(self, config: SlackConfig, store: Store, directory: Directory) -> None:
        self._config, self._store, self._directory = config, store, directory
        self._back = {person: key for key, person in config.accounts.items()}

    async def person(self, tenant: str, member: Member) -> PersonId:
        """Who an account is. Raises Denied when nobody, saying what an owner has to do."""
        key = account_key(tenant, member.id)
        found: PersonId | None
        match self._config.identify:
            case Source.DIRECTORY:
                found = self._config.accounts.get(key)
            case Source.EMAIL:
                found = self._by_email(member)
            case Source.LINK:
                found = await self._linked(key)
        if found is None:
            hint = f"An owner links it once, on the gateway's host: hoop link PERSON {key}"
            raise Denied("This Slack account is not linked to a person yet.", rule="slack-not-linked", hint=hint)
        return found

    async def _linked(self, key: str) -> PersonId | None:
        row = await self._store.read(lambda tx: tx.doc(ACCOUNT, key))
        return PersonId(str(row["person"])) if row else None

    def _by_email(self, member: Member) -> PersonId | None:
        if not member.email or not member.email_confirmed:
            return None
        wanted = member.email.casefold()
        found = [one for one in self._directory.people() if one.active and one.email.casefold() == wanted]
        return found[0].id if len(found) == 1 else None

    async def users(self, people: frozenset[PersonId]) -> Mapping[PersonId, str]:
        """Slack user ids of these people, for those who have one. With `Source.EMAIL`: of those who were here before."""
        if not people:
            return {}
        if self._config.identify is Source.DIRECTORY:
            keys: Mapping[PersonId, str] = {one: self._back[one] for one in people if one in self._back}
        else:
            kind = PERSON if self._config.identify is Source.LINK else MET
            keys = await self._store.read(lambda tx: _keys(tx, kind, people))
        return {person: key.partition("/")[2] for person, key in keys.items()}

    async def met(self, tenant: str, member: Member, person: PersonId) -> None:
        """Remember where to write to somebody who was recognised by e-mail; nothing else needs that."""
        if self._config.identify is not Source.EMAIL:
            return
        key = account_key(tenant, member.id)
        known = await self._store.read(lambda tx: tx.doc(MET, person))
        if known is None or known["account"] != key:
            await self._store.transact(lambda tx: tx.put_doc(MET, person, {"account": key}))


def _keys(tx: Tx, kind: str, people: frozenset[PersonId]) -> dict[PersonId, str]:
    rows = {person: tx.doc(kind, person) for person in people}
    return {person: str(row["account"]) for person, row in rows.items() if row is not None}
