"""Hand a new connection over: the string in one private message, its token in another.

The token exists in clear only here, between issuing and posting. When the process dies in between, the next attempt
issues a new one, and the one nobody got stops working.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from access.actors import Person
from access.ids import GrantId
from access.orders import FREEZE, Freeze
from access.ports import Credentials, Entropy, IssuedCredential, MessageRef, Store, Tx
from access.requests import Grant
from bot.card_json import fingerprint
from bot.cards import Card
from bot.cases import World, access_of, case_of_grant
from bot.deliveries import Delivery, View
from bot.platform import MessageGone, Platform, Posted
from bot.tokens import with_minted
from bot.views.access import connection_card, frozen_line, over_card, token_card


@dataclass(frozen=True, slots=True)
class Hander:
    """Issues and delivers the credential of live standing access."""

    store: Store
    world: World
    platforms: Mapping[str, Platform]
    credentials: Credentials
    entropy: Entropy

    async def hand_over(self, delivery: Delivery) -> None:
        """Nothing when the access is over; what was handed over before is shown as it is now. Raises what issuing and posting
        raise."""
        if await self._shown_again(delivery):
            return
        grant, longest, delivered = await self.store.read(lambda tx: _found(tx, delivery))
        person = self.world.directory.person(grant.actor.person) if grant else None
        resource = self.world.resources.get(grant.resource) if grant else None
        if grant is None or longest is None or delivered or person is None or resource is None:
            return
        issued = await self.credentials.issue(person, grant.actor.via, resource, longest.expires_at)
        card = connection_card(grant, issued.url, resource=resource)
        card = await self.store.transact(lambda tx: with_minted(tx, self.entropy, card, person.id, on=delivery.about))
        if not await self._both(delivery, person, card, issued, grant):
            await self.credentials.end(issued.credential.id, "there was nobody to hand it to")

    async def _shown_again(self, delivery: Delivery) -> bool:
        """Whether the message is there already; then it says what became of the access."""
        ref, card = await self.store.read(lambda tx: (_ref(tx, delivery), self._now(tx, delivery)))
        platform = self.platforms.get(ref.platform) if ref is not None else None
        if ref is None or platform is None or card is None:
            return ref is not None and card is not None
        shown = fingerprint(card)
        if ref.rendered != shown:
            about, person = delivery.about, delivery.person
            again = await self.store.transact(lambda tx: with_minted(tx, self.entropy, card, person, on=about))
            with suppress(MessageGone):  # there is nothing to put right
                await platform.update(ref, again)
            await self.store.transact(lambda tx: tx.put_ref(replace(ref, rendered=shown)))
        return True

    def _now(self, tx: Tx, delivery: Delivery) -> Card | None:
        """The message of access that was handed over; None while it was not."""
        case = case_of_grant(tx, self.world, GrantId(delivery.about))
        grant = case.grant if case is not None else None
        if case is None or grant is None:
            return None
        if not grant.live(tx.now):
            return over_card(case)
        person, resource = self.world.directory.person(grant.actor.person), self.world.resources.get(grant.resource)
        if person is None or resource is None or not tx.refs(grant.id, kind=View.TOKEN.value):
            return None
        kept = tx.doc(FREEZE, grant.resource)
        freeze = Freeze.from_json(kept) if kept is not None else None
        stopped = frozen_line(freeze, self.world.mention(freeze.by)) if freeze is not None else ()
        url = self.credentials.url(person, grant.actor.via, resource)
        return connection_card(grant, url, resource=resource, stopped=stopped)

    async def _both(
        self, delivery: Delivery, person: Person, card: Card, issued: IssuedCredential, grant: Grant
    ) -> bool:
        """Both messages on the first platform that knows the person."""
        agent = grant.actor.via.name if grant.actor.via else ""
        secret = token_card(grant.resource, issued.token, issued.credential.expires_at, agent=agent)
        for name in delivery.platforms:
            platform = self.platforms.get(name)
            posted = await platform.direct(person.id, card, key=delivery.key) if platform else None
            if platform is None or posted is None:
                continue
            await self._remember(delivery, View.CONNECTION, name, posted)
            posted = await platform.direct(person.id, secret, key=f"token/{grant.id}/{issued.credential.id}")
            if posted is not None:
                await self._remember(delivery, View.TOKEN, name, posted)
                return True
        return False

    async def _remember(self, delivery: Delivery, view: View, platform: str, posted: Posted) -> None:
        ref = MessageRef(
            delivery.about, view.value, platform, posted.channel, posted.message, audience=delivery.audience
        )
        await self.store.transact(lambda tx: tx.put_ref(ref))


def _ref(tx: Tx, delivery: Delivery) -> MessageRef | None:
    return next(iter(tx.refs(delivery.about, kind=View.CONNECTION.value)), None)


def _found(tx: Tx, delivery: Delivery) -> tuple[Grant | None, Grant | None, bool]:
    """The live grant, the actor's grant there that ends last, and whether its token was delivered before."""
    grant = tx.grant(GrantId(delivery.about))
    if grant is None or not grant.live(tx.now):
        return None, None, False
    live = access_of(tx.grants(live_at=tx.now, person=grant.actor.person, resource=grant.resource), tx.now)
    same = [one for one in live if one.actor == grant.actor]
    return grant, same[-1] if same else None, bool(tx.refs(grant.id, kind=View.TOKEN.value))
