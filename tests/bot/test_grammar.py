"""What people type, right, wrong and hostile."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.ids import RequestId, SessionId
from bot.grammar import MAX_TEXT, nearest_verb, parse
from bot.intents import (
    AgentToken,
    Approve,
    Cancel,
    Console,
    Deny,
    Done,
    Exec,
    Extend,
    Help,
    Incomplete,
    Kill,
    Mistake,
    My,
    Parsed,
    Pending,
    Replay,
    Request,
    Revoke,
    Sessions,
    Show,
    Token,
    Until,
    Verb,
    Who,
    WhoAmI,
    Why,
)
from bot.leaks import looks_secret
from bot.spell import render
from bot.usage import USAGE, VERBS

REQ, GRT, SES = "req_7k3f9a2b", "grt_7k3f9a2b4c", "ses_7k3f9a2b4c5d"
HOUR = timedelta(hours=1)

GOOD: list[tuple[str, Parsed]] = [
    ("request prod-db 1h INC-42 debugging", Request("prod-db", "read", HOUR, "debugging", "INC-42")),
    ("request prod-db INC-42 1h debugging", Request("prod-db", "read", HOUR, "debugging", "INC-42")),
    ("REQUEST prod-db", Request("prod-db")),
    ("/hoop request prod-db", Request("prod-db")),
    ("@hoop request prod-db", Request("prod-db")),
    ("hoop request prod-db", Request("prod-db")),
    ("  request \t prod-db \n", Request("prod-db")),
    ("request prod-db write 30m fix it", Request("prod-db", "write", timedelta(minutes=30), "fix it")),
    ("request prod-db --for 30m --scope admin", Request("prod-db", "admin", timedelta(minutes=30))),
    (
        "request prod-db 15m --unmask customers.email INC-4 a call",
        Request("prod-db", "read", HOUR / 4, "a call", "INC-4", "", "customers.email"),
    ),
    (
        "request prod-db --unmask=customers.email,app.people.phone",
        Request("prod-db", unmask="customers.email,app.people.phone"),
    ),
    ("request prod-db --for=1h30m", Request("prod-db", "read", timedelta(minutes=90))),
    ("request prod-db 2 hours migration", Request("prod-db", "read", 2 * HOUR, "migration")),
    ("request prod-db for 2h because", Request("prod-db", "read", 2 * HOUR, "because")),
    ("request prod-db for 2 hours because", Request("prod-db", "read", 2 * HOUR, "because")),
    ("request prod-db for the audit", Request("prod-db", "read", None, "for the audit")),
    ("request prod-db until 17:00 x", Request("prod-db", "read", Until(17, 0), "x")),
    ("request prod-db until fri x", Request("prod-db", "read", Until(0, 0, 4), "x")),
    ("request prod-db until friday 9:30", Request("prod-db", "read", Until(9, 30, 4))),
    ("request prod-db --for until 17:00 x", Request("prod-db", "read", Until(17, 0), "x")),
    ("request prod-db until done", Request("prod-db", "read", None, "until done")),
    ("request prod-db job took 2h, look", Request("prod-db", "read", None, "job took 2h, look")),
    ("request prod-db look at INC-42 now", Request("prod-db", "read", None, "look at INC-42 now", "INC-42")),
    ('request prod-db --reason "it\'s slow" --ticket INC-1', Request("prod-db", "read", None, "it's slow", "INC-1")),
    ("request prod-db —reason “it’s slow”", Request("prod-db", "read", None, "it’s slow")),
    ("request prod-db --reason='two words'", Request("prod-db", "read", None, "two words")),
    ("request prod-db can't wait", Request("prod-db", "read", None, "can't wait")),
    ("request prod-db look -- now", Request("prod-db", "read", None, "look -- now")),
    ("request prod-db 1h look --as-agent claude", Request("prod-db", "read", HOUR, "look", "", "claude")),
    ("request prod-db <!channel> *bold* @here", Request("prod-db", "read", None, "<!channel> *bold* @here")),
    ("exec prod-db -- SELECT 1", Exec("prod-db", "SELECT 1")),
    ("exec prod-db --  SELECT 1 ", Exec("prod-db", " SELECT 1 ")),
    ("exec prod-db --\nSELECT 1;\n\n-- why\nSELECT 2", Exec("prod-db", "SELECT 1;\n\n-- why\nSELECT 2")),
    ("exec prod-db — SELECT 1 -- 2", Exec("prod-db", "SELECT 1 -- 2")),
    ('exec prod-db --reason "a -- b" -- SELECT 1', Exec("prod-db", "SELECT 1", "a -- b")),
    ("exec prod-db -- `SELECT 1`", Exec("prod-db", "SELECT 1")),
    ("exec prod-db -- ```SELECT 1```", Exec("prod-db", "SELECT 1")),
    ("exec prod-db -- ```sql\nSELECT 1\n```", Exec("prod-db", "SELECT 1")),
    ("exec prod-db -- ```\nSELECT\n 1\n\n```", Exec("prod-db", "SELECT\n 1\n")),
    ("exec prod-db -- ```SELECT\n1\n```", Exec("prod-db", "SELECT\n1\n")),
    ("exec prod-db -- SELECT `a` FROM `b`", Exec("prod-db", "SELECT `a` FROM `b`")),
    ("exec prod-db -- `a` + `b`", Exec("prod-db", "`a` + `b`")),
    ("exec prod-db -- SELECT “curly”", Exec("prod-db", "SELECT “curly”")),
    ("exec prod-db --as-agent claude -- ls", Exec("prod-db", "ls", agent="claude")),
    (f"approve {REQ}", Approve(RequestId(REQ))),
    ("approve REQ-7K3F9A2B --note fine", Approve(RequestId(REQ), "fine")),
    (f"approve {REQ} looks good", Approve(RequestId(REQ), "looks good")),
    (f"approve {REQ} --for 15m --scope read", Approve(RequestId(REQ), "", timedelta(minutes=15), "read")),
    (f"deny {REQ}", Deny(RequestId(REQ))),
    (f"deny {REQ} use the replica", Deny(RequestId(REQ), "use the replica")),
    (f"cancel {REQ}", Cancel(RequestId(REQ))),
    (f"show {GRT}", Show(GRT)),
    (f"extend {GRT} 30m", Extend(GRT, timedelta(minutes=30))),
    ("extend prod-db", Extend("prod-db")),
    ("extend prod-db 30m because it still builds", Extend("prod-db", timedelta(minutes=30), "because it still builds")),
    ("extend prod-db until 17:00 --reason builds", Extend("prod-db", Until(17, 0), "builds")),
    ("extend prod-db --for 30m", Extend("prod-db", timedelta(minutes=30))),
    ("extend prod-db until fri 17:00", Extend("prod-db", Until(17, 0, 4))),
    ("extend GRT-7K3F9A2B4C 30m", Extend(GRT, timedelta(minutes=30))),
    ("done prod-db", Done("prod-db")),
    (f"revoke {REQ} wrong ticket", Revoke(REQ, "wrong ticket")),
    (f"kill {SES}", Kill(SessionId(SES))),
    (f"kill {SES} --reason runaway", Kill(SessionId(SES), "runaway")),
    (f"replay {SES}", Replay(SessionId(SES))),
    ("my", My()),
    ("pending", Pending()),
    ("pending 2", Pending(2)),
    ("sessions", Sessions()),
    ("sessions prod-db", Sessions("prod-db")),
    ("token prod-db", Token("prod-db")),
    ("agent token claude", AgentToken("claude")),
    ("agent token claude --on prod-db", AgentToken("claude", "prod-db")),
    ("agent token claude on prod-db", AgentToken("claude", "prod-db")),
    ("who prod-db", Who("prod-db")),
    ("why prod-db", Why("prod-db")),
    ("why prod-db at 03:00", Why("prod-db", at=Until(3, 0))),
    ("why prod-db at fri 03:00", Why("prod-db", at=Until(3, 0, 4))),
    (f"approve {REQ} --again 1h", Approve(RequestId(REQ), again=HOUR)),
    ("why \"DELETE FROM t WHERE a = 'b'\" on prod-db", Why("prod-db", "DELETE FROM t WHERE a = 'b'")),
    ("why prod-db -- DELETE FROM t", Why("prod-db", "DELETE FROM t")),
    ("whoami", WhoAmI()),
    ("console", Console()),
    ("", Help()),
    ("/hoop", Help()),
    ("help", Help()),
    ("help exec", Help(Verb.EXEC)),
    ("help exce", Help(Verb.EXEC)),
]


@pytest.mark.parametrize(("text", "meant"), GOOD, ids=[text for text, _ in GOOD])
def test_what_is_typed_is_what_is_meant(text: str, meant: Parsed) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("request", ("resource",)),
        ("request --for 1h", ("resource",)),
        ("exec", ("resource", "command")),
        ("exec prod-db", ("command",)),
        ("exec prod-db --", ("command",)),
        ("exec prod-db --   \n ", ("command",)),
        ("exec -- SELECT 1", ("resource",)),
        ("approve", ("id",)),
        ("deny", ("id",)),
        ("extend", ("target",)),
        ("token", ("resource",)),
        ("agent", ("agent",)),
        ("agent token", ("agent",)),
        ("why", ("resource",)),
    ],
)
def test_what_lacks_something_says_what(text: str, missing: tuple[str, ...]) -> None:
    found = parse(text)
    assert isinstance(found, Incomplete)
    assert found.missing == missing


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("request prod-db 0m x", "duration"),
        ("request prod-db -5m x", "duration"),
        ("request prod-db 1.5h x", "duration"),
        ("request prod-db 2w x", "duration"),
        ("request prod-db 90s x", "duration"),
        ("request prod-db 999999d x", "duration"),
        ("request prod-db --for soon x", "duration"),
        ("request prod-db --for until x", "duration"),
        ("request prod-db --scope root x", "scope"),
        ("request prod-db --scope write --unmask customers.email x", "scope"),
        ("request prod-db --unmask customers.* x", "unmask"),
        ("request prod-db --unmask email x", "unmask"),
        ("request prod-db --unmask , x", "unmask"),
        ("request prod-db --unmask pg_catalog.pg_stats.most_common_vals x", "unmask"),
        ("request prod-db " + "x" * 1500, "reason"),
        ("request " + "x" * 200, "resource"),
        ("exec prod-db SELECT 1", "command"),
        ("exec prod-db now -- SELECT 1", "command"),
        ("agent token ~root", "agent"),
        ("request prod-db --as-agent a~b", "agent"),
        ("extend prod-db 0m", "duration"),
        ("extend prod-db soon", "duration"),
    ],
)
def test_a_wrong_value_is_told_at_its_field(text: str, field: str) -> None:
    found = parse(text)
    assert isinstance(found, Incomplete)
    assert list(found.errors) == [field]


@pytest.mark.parametrize(
    ("text", "verb", "said"),
    [
        ("requets prod-db", Verb.REQUEST, "Did you mean request?"),
        ("yes", Verb.APPROVE, "approve"),
        ("oh yes that is fine", None, "I do not know"),
        ("reject it", Verb.DENY, "deny"),
        ("xyzzy", Verb.HELP, "Try help"),
        ("approve fine", Verb.APPROVE, "not an id"),
        ("approve req_short", Verb.APPROVE, "not an id"),
        (f"approve {GRT}", Verb.APPROVE, "starts with req_"),
        (f"approve {REQ} --scope root", Verb.APPROVE, "A scope is read, write, admin"),
        (f"approve {REQ} --for 0m", Verb.APPROVE, ""),
        (f"kill {REQ}", Verb.KILL, "starts with ses_"),
        ("request prod-db --fro 1h", Verb.REQUEST, "Did you mean --for?"),
        ("request prod-db --for 1h --for 2h", Verb.REQUEST, "twice"),
        ("request prod-db --for", Verb.REQUEST, "wants a value"),
        ("request prod-db --for --reason x", Verb.REQUEST, "wants a value"),
        ("my access", Verb.MY, "stands alone"),
        ("my --verbose yes", Verb.MY, "no flags"),
        (f"cancel {REQ} please", Verb.CANCEL, "do not understand"),
        ("who a b", Verb.WHO, "one resource"),
        ("why SELECT 1 on prod-db", Verb.WHY, "in quotes"),
        ('why "SELECT 1"', Verb.WHY, "on which resource"),
        ("why prod-db -- ", Verb.WHY, "no statement"),
        ("agent revoke claude", Verb.AGENT, "agent token NAME"),
        ("done prod-db now", Verb.DONE, "do not understand"),
        ("extend prod-db 30m now --reason because", Verb.EXTEND, "do not understand"),
        ("extend prod-db 30m " + "a " * 600, Verb.EXTEND, "at most 1,000"),
        ("request " + "a " * 5000, Verb.REQUEST, "too long"),
        ("exec " + "a " * 5000 + "-- SELECT 1", Verb.EXEC, "before the --"),
    ],
)
def test_a_mistake_names_the_nearest_verb_and_an_example_that_parses(text: str, verb: Verb | None, said: str) -> None:
    found = parse(text)
    assert isinstance(found, Mistake)
    assert said in found.message
    if verb is not None:
        assert found.nearest is verb
        assert not isinstance(parse(found.example), Mistake | Incomplete)


def test_every_verb_has_usage_and_an_example_of_its_own() -> None:
    assert set(USAGE) == set(Verb) == set(VERBS.values())
    for verb, usage in USAGE.items():
        found = parse(usage.example)
        assert not isinstance(found, Mistake | Incomplete), usage.example
        assert usage.form.startswith(verb.value)
        assert nearest_verb(verb.value) is verb


SECRETS = [
    "request prod-db 1h password=hunter2!",
    "exec prod-db -- postgres://app:s3cr3t@db.internal/app",
    "exec prod-db -- ALTER USER app WITH PASSWORD 'x1'",
    "exec prod-db -- CREATE USER a IDENTIFIED BY 'x1'",
    "exec prod-db -- PGPASSWORD=abc123! psql",
    "request x -----BEGIN OPENSSH PRIVATE KEY-----\nabc",
    "request x -----BEGIN RSA PRIVATE KEY-----",
    "request x AKIAIOSFODNN7EXAMPLE",
    "request x ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "request x xoxb-123456789012-abcdefghijkl",
    "request x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlMTIz",
    "deny req_7k3f9a2b token is sk-ant-" + "a1" * 12,
    "mistyped --password hunter2",
    "mistyped —password hunter2",
    "request x client_secret: 'q8w7e6r5'",
    "request prod-db 1h my password is hunter2!",
    "request prod-db 1h the password for app was “Tr0ub4dor&3”",
    "deny req_7k3f9a2b the api key is 9f8e7d6c",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_refused_never_echoed_and_to_be_rotated(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Mistake)
    assert found.secret
    assert "rotate" in found.message
    for word in text.split()[1:]:
        assert len(word) < 9 or word not in found.message


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE users SET password_hash = crypt($1, gen_salt('bf'))",
        "SELECT * FROM tokens WHERE token = $1",
        "ALTER ROLE app PASSWORD NULL",
        "SELECT 'd41d8cd98f00b204e9800998ecf8427e', '550e8400-e29b-41d4-a716-446655440000'",
        "SELECT secret FROM vault WHERE password = other.password",
        "reset the password: ask ops",
        "https://wiki.example.com/page?x=1 mail me@example.com",
        "postgres://app@db.internal:5432/app",
        "the password is wrong, the secret is out-of-date!",
        "my token is expired and the password is unknown.",
        "the password was $PGPASSWORD",
    ],
)
def test_ordinary_text_is_no_secret(text: str) -> None:
    assert looks_secret(text) is None


def test_a_mistake_shows_hidden_characters_and_little_of_the_text() -> None:
    found = parse("req\u200buest\u202e" + "x" * 5000)
    assert isinstance(found, Mistake)
    assert "⟨U+200B⟩" in found.message
    assert len(found.message) < 200


HOSTILE = [
    "a" * (MAX_TEXT + 1),
    "exec prod-db -- " + "x" * (MAX_TEXT - 20),
    "request prod-db " + '"' * 3000,
    "«a " * 1300,
    "“a " * 13_000,
    "--" * 20_000,
    "exec x " + "— " * 10_000,
    "`" * MAX_TEXT,
    "exec a -- " + "`a" * 19_000,
    "password=" * 4_000,
    "a://" * 9_000,
    "a.-" * 13_000,
    "eyJ" * 13_000,
    "\x00" * 10_000,
    "why " + '"' + "x\\" * 19_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_answered_quickly(text: str) -> None:
    started = time.thread_time()
    parse(text)
    parse(text[:100_000] * 2)
    assert time.thread_time() - started < 1.0


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_parses_to_something(text: str) -> None:
    parse(text)
    parse("request " + text)
    parse("exec prod-db " + text)
    parse("why " + text)


WORD = st.text(min_size=1, max_size=40).filter(lambda text: bool(text.strip()))
REASON = st.text(max_size=60)
SPAN = st.one_of(
    st.none(),
    st.integers(1, 60 * 24 * 300).map(lambda minutes: timedelta(minutes=minutes)),
    st.builds(Until, st.integers(0, 23), st.integers(0, 59), st.one_of(st.none(), st.integers(0, 6))),
)
AGENT = st.from_regex(r"\A[a-z][a-z0-9-]{0,15}\Z")
MAYBE_AGENT = st.one_of(st.just(""), AGENT)
COMMAND = st.one_of(st.text(min_size=1, max_size=200), st.text(alphabet="`a \nsql", min_size=1, max_size=30)).filter(
    lambda text: bool(text.strip())
)
ANY = st.one_of(
    st.builds(Request, WORD, st.sampled_from(["read", "write", "admin"]), SPAN, REASON, REASON, MAYBE_AGENT),
    st.builds(Exec, WORD, COMMAND, REASON, REASON, MAYBE_AGENT),
    st.builds(Approve, st.just(RequestId(REQ)), REASON),
    st.builds(Deny, st.just(RequestId(REQ)), REASON),
    st.builds(Revoke, st.sampled_from([REQ, GRT]), REASON),
    st.builds(Kill, st.just(SessionId(SES)), REASON),
    st.builds(Extend, WORD, SPAN),
    st.builds(Done, WORD),
    st.builds(AgentToken, AGENT, st.one_of(st.just(""), WORD)),
    st.builds(Why, WORD, COMMAND),
    st.builds(Why, WORD.filter(lambda text: not any(char.isspace() for char in text))),
    st.builds(Sessions, WORD),
    st.builds(Token, WORD),
    st.builds(Who, WORD),
    st.builds(Show, st.sampled_from([REQ, GRT, SES])),
    st.builds(Help, st.one_of(st.none(), st.sampled_from(Verb))),
    st.sampled_from(
        [My(), Pending(), Pending(3), Sessions(), WhoAmI(), Console(), Cancel(RequestId(REQ)), Replay(SessionId(SES))]
    ),
)


@settings(max_examples=400, deadline=None)
@given(ANY)
def test_what_is_spelt_reads_back_the_same(intent: object) -> None:
    text = render(intent)  # type: ignore[arg-type]
    if looks_secret(text) is None:
        assert parse(text) == intent, text
