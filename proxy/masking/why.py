"""Why the columns of a result are masked, in words for people who ask."""

from __future__ import annotations

from collections.abc import Sequence

from access.masking import Masked, declare_masked
from proxy.masking.messages import Mask
from proxy.masking.rules import Rules, made_by_sample
from proxy.sql.lineage import OutputColumn

_UNKNOWN = "redacted: nobody can tell what it is made of"


def reasons(rules: Rules, mask: Mask, output: Sequence[OutputColumn] | None, *, touched: bool) -> tuple[Masked, ...]:
    """A line for each column that is masked whole; without one, only the value detectors look at it."""
    if output is None:
        return (declare_masked(f"every column {_UNKNOWN}"),) if touched else ()
    lines = [(one.name, _reason(rules, one)) for one in output]
    return tuple(declare_masked(mask(f"{name or '?'} {why}")) for name, why in lines if why)


def _reason(rules: Rules, one: OutputColumn) -> str:
    if not rules.protecting:
        return ""
    protecting = rules.protecting_rules(one.touches)
    if one.mixed and rules.told(one.mixed):
        return "redacted: a condition compares it with a protected column"
    if one.unknown:
        return _UNKNOWN
    if not protecting or one.safe:
        return ""
    names = ", ".join(sorted(column for column in one.touches if rules.protecting_rules([column])))
    if not one.plain:
        return f"redacted: computed from {names}"
    rule = protecting[0]
    from_sample = f"a sample of its table ({rule.entity})"
    because = from_sample if made_by_sample(rule) else f"the rule {rule.pattern} ({rule.entity})"
    return f"{rule.strategy.value}: {names}, by {because}"
