"""What would happen to a statement, and why: the card of `why`."""

from __future__ import annotations

from collections.abc import Sequence

from access.explain import Explanation
from access.masking import Masked
from access.policy import Action
from access.resources import Resource
from bot.cards import Card, Code, CodeBlock, Field, Mention, text
from bot.views import parts

_WOULD = {
    Action.ALLOW: "It would run.",
    Action.HOLD: "It would be held for approval.",
    Action.DENY: "It would be refused.",
}


def verdict_card(resource: Resource, shown: Masked, found: Explanation, deciders: Sequence[Mention]) -> Card:
    """What would happen to one text under the viewer's access now, and what the judge understood of it."""
    verdict = found.verdict
    says = f"{_WOULD[verdict.action]} {verdict.message} {verdict.hint}".strip()
    under = ", ".join(f"{level.name.lower()}: {_SHORT[one.action]}" for level, one in found.under)
    fields = [
        Field("Effects", text(", ".join(found.effects) or "none")),
        Field("Changes", text(", ".join(found.writes) or "nothing")),
        Field("Reads", text(", ".join(found.reads) or "nothing")),
        Field("Flags", text(", ".join(found.flags) or "none")),
        Field("Rule", text(Code(verdict.rule))),
        Field("Your access now", text(found.level.name.lower())),
        Field("Under other access", text(under)),
        Field("Can decide", parts.people(deciders)),
    ]
    return Card(
        kind="why",
        state=parts.PRIVATE,
        title=text("What would happen to this on ", Code(resource.name)),
        fallback=f"On {resource.name}: {says}",
        lines=(text(says),),
        fields=tuple(fields),
        blocks=(CodeBlock(shown),),
        notes=tuple(text(f"The rule {rule.name} is about this.") for rule in found.rules),
        private=True,
    )


_SHORT = {Action.ALLOW: "runs", Action.HOLD: "held", Action.DENY: "refused"}
