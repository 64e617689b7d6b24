"""Hand a new connection over: the string in one private message, its token in another.

The token exists in clear only here, between issuing and posting. When the process dies in between, the next attempt
issues a new one, and the one nobody got stops working.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from access.actors import Person
from access.ids import GrantId
from access.ports import Credentials, Entropy, IssuedCredential, MessageRef, Store, Tx
from access.requests import Grant
from bot.cards import Card
from bot.cases import World, access_of
from bot.deliveries import Delivery, View
from bot.platform import Platform, Posted
from bot.tokens import with_minted
from bot.views.access import connection_card, token_card


@dataclass(frozen=True, slots=True)
class Hander:
    """Issues and delivers the credential of live standing access."""

    store: Store
    world: World
    platforms: Mapping[str, Platform]
    credentials: Credentials
    entropy: Entropy

    async def hand_over(self, delivery: Delivery) -> None:
        """Nothing when the access is over or the token was delivered. Raises what issuing and posting raise."""
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


def _found(tx: Tx, delivery: Delivery) -> tuple[Grant | None, Grant | None, bool]:
    """The live grant, the actor's grant there that ends last, and whether its token was delivered before."""
    grant = tx.grant(GrantId(delivery.about))
    if grant is None or not grant.live(tx.now):
        return None, None, False
    live = access_of(tx.grants(live_at=tx.now, person=grant.actor.person, resource=grant.resource), tx.now)
    same = [one for one in live if one.actor == grant.actor]
    return grant, same[-1] if same else None, bool(tx.refs(grant.id, kind=View.TOKEN.value))
