"""Mistakes in the `jira` section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from app.jira.places import unknown_places
from app.settings import Settings

Where = tuple[str | int, ...]


def jira_problems(settings: Settings) -> Iterator[tuple[Where, str]]:
    """(place, what is wrong) for everything wrong."""
    jira = settings.jira
    accounts = Counter(person.jira for person in settings.people if person.jira)
    for index, person in enumerate(settings.people):
        if person.jira and accounts[person.jira] > 1:
            yield ("people", index, "jira"), f"{person.jira} is the account of {accounts[person.jira]} people"
    if jira is None:
        return
    if not jira.url.startswith("https://") and urlsplit(jira.url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        yield ("jira", "url"), "must be https://: the token travels over it"
    if (
        jira.identify == "account"
        and not accounts
        and (jira.webhook or any(one.decide.approve for one in jira.templates))
    ):
        yield ("jira", "identify"), "is account, but nobody in people has a jira account"
    names = [entry.name for entry in settings.resources]
    for index, one in enumerate(jira.templates):
        where: Where = ("jira", "templates", index)
        if (one.decide.approve or one.decide.deny) and not jira.webhook:
            yield (*where, "decide"), "needs jira.webhook: only a signed web hook decides"
        if (one.decide.approve or one.decide.deny) and one.use_ticket:
            yield (*where, "decide"), "does not go with use_ticket: an issue that people wrote is not what is approved"
        both = {name.casefold() for name in one.decide.approve} & {name.casefold() for name in one.decide.deny}
        if both:
            yield (*where, "decide"), f"says both yes and no to {', '.join(sorted(both))}"
        for text in unknown_places([one.summary, one.fields]):
            yield where, f"{{{text}}} is no placeholder"
        for number, glob in enumerate(one.resources):
            if not any(fnmatchcase(name, glob) for name in names):
                yield (*where, "resources", number), f"{glob} matches no resource"
        for name in ("project", "issuetype", "summary", "description", "labels"):
            if name in one.fields:
                yield (*where, "fields", name), "is filled by the gateway"
