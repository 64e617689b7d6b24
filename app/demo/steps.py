"""The steps of the tour on the sample shop, and the shorter, read-only list for a database of one's own."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
from contextlib import closing

from access.ids import Prefix, parse_id
from app.demo.emergency_step import emergency
from app.demo.finding import REQUEST, SESSION, TOKEN, URL, found
from app.demo.report import expect
from app.demo.runbook_steps import runbook
from app.demo.site import hoop
from app.demo.ssh_steps import server
from app.demo.tour import CHANNEL, Step, Tour
from app.demo.visitor import Seen

# ------------------------------------------------------------------------------------------------ asking


async def ask(tour: Tour) -> None:
    answers = await tour.people["dana"].say("/hoop request prod-db 1h INC-42 debugging a failed refund")
    for answer in answers:
        tour.report.show(answer.shown, "dana sees:")
    card = await tour.people["ann"].wait_for(CHANNEL, lambda m: "request" in m.kinds and "INC-42" in m.text)
    tour.card, tour.request = card.id, found(REQUEST, card.text, "a request id")
    tour.report.show(card.shown, "#prod-db:")
    for words in ("Dana Developer", "prod-db", "INC-42", "debugging a failed refund", "1h", "Ann Admin", "Bob Base"):
        expect(words in card.text, f"“{words}” on the card")
    expect("approve" in card.buttons, "an Approve button on the card")
    tour.report.good("A card says who, what, why, how long, and who can decide.")


async def own_request(tour: Tour) -> None:
    dana = tour.people["dana"]
    card = await dana.wait_for(CHANNEL, lambda m: m.id == tour.card)
    answers = await dana.press(card.buttons["approve"])
    for answer in answers:
        tour.report.show(answer.shown, "dana sees:")
    expect(any("own" in answer.text.lower() for answer in answers), "a refusal of her own vote")
    after = await dana.wait_for(CHANNEL, lambda m: m.id == tour.card)
    expect("approve" in after.buttons, "the request still waiting")
    tour.report.good("Nobody approves their own request.")


async def approve(tour: Tour) -> None:
    ann, dana = tour.people["ann"], tour.people["dana"]
    card = await ann.wait_for(CHANNEL, lambda m: m.id == tour.card)
    await ann.press(card.buttons["approve"])
    after = await dana.wait_for(CHANNEL, lambda m: m.id == tour.card and "approve" not in m.buttons)
    expect("Ann Admin" in after.text, "who approved, on the same card")
    tour.report.show(after.shown, "#prod-db:")
    tour.report.good("One click; the same card updated in place.")
    connection = await dana.wait_for("/private", lambda m: URL.search(m.text) is not None)
    secret = await dana.wait_for("/private", lambda m: TOKEN.search(m.text) is not None)
    tour.url, tour.token = found(URL, connection.text, "a connection string"), found(TOKEN, secret.text, "a token")
    expect(connection.id != secret.id, "connection string and token in two messages")
    expect(tour.token not in connection.text, "no token beside the connection string")
    tour.report.show(connection.shown, "dana, private:")
    tour.report.show(secret.shown.replace(tour.token, f"{tour.token[:9]}…"), "dana, private:")
    strangers = await ann.page("/private")
    expect(tour.token not in strangers.text, "the token visible to Dana only")
    tour.report.good("Connection string and token came separately, to Dana alone.")


# ------------------------------------------------------------------------------------------------ using


SELECT = "SELECT name, email, phone, card_number, ssn, birth_date, city, plan FROM customers ORDER BY id LIMIT 3;"
VIEW = "SELECT id, who, contact, call_me, city FROM customer_contacts WHERE id = 7;"
COMPUTED = "SELECT upper(email) AS e, left(phone, 6) AS p, count(*) OVER () AS n FROM customers LIMIT 1;"
TICKET = "SELECT id, subject, body FROM support_tickets WHERE id IN (1, 2, 3) ORDER BY id;"
USEFUL = "SELECT plan, count(*), min(created_at)::date AS first FROM customers GROUP BY plan ORDER BY plan;"


async def read(tour: Tour) -> None:
    columns = "name, email, phone, card_number, ssn, birth_date::text"
    secrets = [str(v) for row in await tour.truth(f"SELECT {columns} FROM customers") for v in row]
    async with tour.psql() as psql:
        for query in (SELECT, VIEW, COMPUTED, TICKET, USEFUL):
            printed = await psql.run(query)
            tour.report.show(f"shop=> {query}\n{printed}")
            expect("ERROR" not in printed and re.search(r"\(\d+ rows?\)", printed), "rows")
            leaked = [value for value in secrets if value.lower() in printed.lower()]
            expect(not leaked, f"no personal value in the output, found {len(leaked)}")
    masked = await tour.truth("SELECT city, plan FROM customers ORDER BY id LIMIT 1")
    tour.report.good(
        f"Names, e-mails, phones, cards, SSNs and birth dates are masked, also by alias, view and expression; {masked[0][0]!r} and {masked[0][1]!r} are not."
    )


async def refuse(tour: Tour) -> None:
    async with tour.psql() as psql:
        printed = await psql.run("DROP TABLE customers;")
        tour.report.show(f"shop=> DROP TABLE customers;\n{printed}")
        expect("ERROR" in printed and "not dropped" in printed, "an error in the owner's words")
        usable = await psql.run("SELECT count(*) AS customers FROM customers;")
        tour.report.show(f"shop=> SELECT count(*) AS customers FROM customers;\n{usable}")
        expect("200" in usable, "a session that goes on")
    tour.report.good("Refused with a readable error; the session went on.")


DELETE = "DELETE FROM orders WHERE id = 42;"


async def hold(tour: Tour) -> None:
    async with tour.psql() as psql:
        psql.send(DELETE)
        notice = await psql.printed_until("req_")
        tour.report.show(f"shop=> {DELETE}\n{notice}")
        card = await tour.held("DELETE FROM orders WHERE id = 42")
        tour.report.show(card.shown, "thread:")
        expect((await tour.truth("SELECT count(*) FROM orders WHERE id = 42"))[0][0] == 1, "nothing deleted yet")
        await tour.people["bob"].press(card.buttons["approve"])
        printed = await psql.run("")
        tour.report.show(printed)
        expect("DELETE 1" in printed, "DELETE 1")
        expect((await tour.truth("SELECT count(*) FROM orders WHERE id = 42"))[0][0] == 0, "the row gone")
        decided = await tour.people["ann"].wait_for(
            tour.thread, lambda m: m.id == card.id and "approve" not in m.buttons
        )
        expect("Bob Base" in decided.text, "who approved, on the card")
        tour.report.good("psql waited inside the statement, Bob approved, exactly this statement ran.")
        psql.send(DELETE)
        notice = await psql.printed_until("req_")
        tour.report.show(f"shop=> {DELETE}\n{notice}")
        again = await tour.held("DELETE FROM orders WHERE id = 42", after=[card.id])
        expect(
            found(REQUEST, again.text, "a request id") != found(REQUEST, card.text, "a request id"), "another request"
        )
        await tour.people["dana"].say(f"/hoop cancel {found(REQUEST, again.text, 'a request id')}")
        printed = await psql.run("")
        tour.report.show(printed)
        expect("ERROR" in printed, "an error for the cancelled one")
        tour.report.good("The same statement again is held anew: approved once runs once.")


# ------------------------------------------------------------------------------------------------ from chat, by an agent

UPDATE = "UPDATE customers SET plan = 'team' WHERE id = 3 RETURNING id, name, email, plan"


async def from_chat(tour: Tour) -> None:
    command = f"/hoop exec prod-db -- {UPDATE}"
    tour.report.show(command, "dana types:")
    for answer in await tour.people["dana"].say(command):
        tour.report.show(answer.shown, "dana sees:")
    card = await tour.people["ann"].wait_for(CHANNEL, lambda m: "command" in m.kinds and "approve" in m.buttons)
    tour.report.show(card.shown, "#prod-db:")
    await tour.people["ann"].press(card.buttons["approve"])
    result = await tour.people["dana"].wait_for(f"{CHANNEL}?thread={card.id}", lambda m: "result" in m.kinds)
    tour.report.show(result.shown, "thread:")
    row = (await tour.truth("SELECT plan, email, name FROM customers WHERE id = 3"))[0]
    expect(row[0] == "team", "the row updated")
    expect(row[1] not in result.text and row[2] not in result.text, "a masked result")
    expect("UPDATE 1" in result.text, "the command tag in the thread")
    tour.report.good(
        "One command, approved, run once by the bot through the gateway; the masked result is in the thread."
    )


async def agent(tour: Tour) -> None:
    dana = tour.people["dana"]
    answers = await dana.say("/hoop agent token claude --on prod-db")
    text = " ".join(answer.text for answer in answers)
    tour.agent_url, tour.agent_token = found(URL, text, "a connection string"), found(TOKEN, text, "a token")
    shown = " · ".join(answer.shown for answer in answers)
    tour.report.show(shown.replace(tour.agent_token, f"{tour.agent_token[:9]}…"), "dana sees:")
    async with tour.psql(agent=True) as psql:
        psql.send("DELETE FROM order_items WHERE order_id = 7 AND line = 2;")
        tour.report.show(await psql.printed_until("req_"), "claude's psql:")
        card = await tour.held("order_items")
        tour.report.show(card.shown, "thread:")
        expect("Dana Developer" in card.text and "claude" in card.text, "the human via the agent on the card")
        refused = await dana.press(card.buttons["approve"])
        for answer in refused:
            tour.report.show(answer.shown, "dana sees:")
        expect(any("agent" in answer.text.lower() for answer in refused), "the agent's human refused as approver")
        await tour.people["bob"].press(card.buttons["approve"])
        tour.report.show(await psql.run(""), "claude's psql:")
    left = (await tour.truth("SELECT count(*) FROM order_items WHERE order_id = 7"))[0][0]
    expect(left == 2, "one item deleted")
    tour.report.good(
        "An agent inherits its human's access and waits for the same approvals; its human cannot approve it."
    )


# ------------------------------------------------------------------------------------------------ the end


async def revoke(tour: Tour) -> None:
    ann, loop = tour.people["ann"], asyncio.get_running_loop()
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'"
    async with tour.psql() as psql:
        psql.send("SELECT pg_sleep(60);")
        expect(await _comes_to(tour, sleeping, 1), "pg_sleep running upstream")
        started = loop.time()
        answers = await ann.say(f"/hoop revoke {tour.request} --reason rotation")
        printed = await psql.printed_until("no such line", 5)
        took = loop.time() - started
        tour.report.show(f"shop=> SELECT pg_sleep(60);\n{printed}")
        for answer in answers:
            tour.report.show(answer.shown, "ann sees:")
        expect("revoked" in printed.lower(), "the reason in the client's error")
        expect(took < 1.0, f"the session cut within a second, it took {took:.2f} s")
        expect(await _comes_to(tour, sleeping, 0), "the statement cancelled upstream")
    tour.report.good(f"Cut {took * 1000:.0f} ms after the command; the statement was cancelled upstream too.")


async def _comes_to(tour: Tour, counting: str, count: int) -> bool:
    """Whether this counts so many within a few seconds: the server does it at its own pace."""
    for _ in range(200):
        if (await tour.truth(counting))[0][0] == count:
            return True
        await asyncio.sleep(0.02)
    return False


async def replay(tour: Tour) -> None:
    dana = tour.people["dana"]

    def summary(message: Seen) -> bool:
        linked = any("/sessions/ses_" in link for link in message.links)
        return linked and "Session closed" in message.text and "revoked" in message.text

    message = await dana.wait_for(tour.thread, summary)
    tour.report.show(message.shown, "thread:")
    thread = await dana.page(tour.thread)
    sessions = [
        parse_id(match[0], Prefix.SESSION)
        for seen in thread.messages
        for link in seen.links
        if (match := SESSION.search(link))
    ]
    shown = {name: (await dana.page(f"/sessions/{name}")).text for name in dict.fromkeys(sessions) if name}
    with_delete = [name for name, text in shown.items() if "DELETE FROM orders" in text]
    expect(with_delete, "a replay page with the held DELETE")
    with_rows = [name for name, text in shown.items() if "FROM customers ORDER BY id" in text]
    expect(with_rows, "a replay page with the SELECT")
    secrets = await tour.truth("SELECT email FROM customers WHERE id <= 3")
    expect(not any(row[0] in text for row in secrets for text in shown.values()), "masked results in the replay")
    tour.session = with_rows[0]
    status, printed = await asyncio.to_thread(hoop, tour.site.config, "replay", tour.session, "--no-wait")
    expect(status == 0 and "FROM customers" in printed, "the same recording in the terminal")
    tour.report.show("\n".join(printed.splitlines()[:14]), "hoop replay:")
    tour.report.good(
        f"{len(shown)} replays linked from the thread; {tour.site.console}/~dana/sessions/{tour.session} plays one."
    )


async def verify(tour: Tour) -> None:
    for _ in range(100):
        if (tour.site.home / "checkpoints.txt").exists():
            break
        await asyncio.sleep(0.1)
    status, printed = await asyncio.to_thread(hoop, tour.site.config, "ledger", "verify")
    tour.report.show(printed, "hoop ledger verify:")
    expect(status == 0 and "intact" in printed, "an intact ledger")
    copy = tour.site.home / "tampered"
    copy.mkdir()
    names = ("hoop.yaml", "store.key", "signing.key", "upstream.password", "checkpoints.txt")
    for name in names:
        if (tour.site.home / name).exists():
            shutil.copy(tour.site.home / name, copy / name)
    shutil.copytree(tour.site.home / "flows", copy / "flows")
    if (tour.site.home / "web-1").exists():  # the keys of the host behind SSH, which hoop.yaml names
        shutil.copytree(tour.site.home / "web-1", copy / "web-1")
    position = _change_one_byte(tour.site.home / "hoop.db", copy / "hoop.db")
    status, printed = await asyncio.to_thread(hoop, copy / "hoop.yaml", "ledger", "verify")
    tour.report.show(printed, "after one byte was changed in a copy:")
    expect(status != 0 and f"event {position} " in printed, f"event {position} named as the first bad one")
    tour.report.good("The chain verifies; one changed byte is found and the first bad event named.")


def _change_one_byte(store: object, copy: object) -> int:
    """Copy the store while it is in use, then change one byte of a stored event's payload as somebody with disk access
    would; the position of that event."""
    with closing(sqlite3.connect(str(store))) as source, closing(sqlite3.connect(str(copy))) as target:
        source.backup(target)
    with closing(sqlite3.connect(str(copy))) as target, target:
        query = (
            "SELECT e.position, e.writer, e.sequence, p.payload FROM event e JOIN event_payload p "
            "ON p.writer = e.writer AND p.sequence = e.sequence WHERE e.kind = 'review.given' ORDER BY e.position LIMIT 1"
        )
        position, writer, sequence, payload = target.execute(query).fetchone()
        changed = (
            payload.replace("approve", "approvE", 1)
            if isinstance(payload, str)
            else payload.replace(b"approve", b"approvE", 1)
        )
        expect(changed != payload, "a vote to tamper with")
        for (name,) in target.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            target.execute(f"DROP TRIGGER {name}")
        target.execute(
            "UPDATE event_payload SET payload = ? WHERE writer = ? AND sequence = ?", (changed, writer, sequence)
        )
    return int(position)


SAMPLE: tuple[Step, ...] = (
    ("Dana asks for access, in chat", ask),
    ("Dana tries to approve it herself", own_request),
    ("Ann approves with one click", approve),
    ("psql, the ordinary one: personal data is masked", read),
    ("A guardrail: DROP TABLE", refuse),
    ("A risky statement in the middle of a session is held, approved, run once", hold),
    ("A single command, from chat", from_chat),
    ("A runbook from Git: dry run, apply", runbook),
    ("A server: the ordinary ssh, through the same approvals", server),
    ("An AI agent under Dana's access", agent),
    ("Early end: access is revoked while a statement runs", revoke),
    ("What happened: summary and replay", replay),
    ("An emergency: break-glass, from the alarm to the closed attestation", emergency),
    ("The ledger proves it", verify),
)


# ------------------------------------------------------------------------------------------------ one's own database


TABLES = (
    "SELECT table_schema, table_name FROM information_schema.tables "
    "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2 LIMIT 10;"
)


async def read_own(tour: Tour) -> None:
    async with tour.psql() as psql:
        printed = await psql.run(TABLES)
        tour.report.show(f"=> {TABLES}\n{printed}")
        expect("ERROR" not in printed, "a list of tables")
        table = next((line.split("|") for line in printed.splitlines()[2:] if "|" in line), None)
        if table is not None:
            query = f'SELECT * FROM "{table[0].strip()}"."{table[1].strip()}" LIMIT 3;'
            printed = await psql.run(query)
            tour.report.show(f"=> {query}\n{printed}")
        printed = await psql.run("CREATE TABLE hoop_was_here (id int);")
        tour.report.show(f"=> CREATE TABLE hoop_was_here (id int);\n{printed}")
        expect("ERROR" in printed, "a refusal")
    there = await tour.truth("SELECT to_regclass('hoop_was_here') IS NULL")
    expect(there[0][0], "nothing created")
    tour.report.good(
        "Your rows came through masked; a write was refused by the gateway, and the connection is READ ONLY besides."
    )


OWN_TARGET: tuple[Step, ...] = (
    ("Dana asks for access, in chat", ask),
    ("Dana tries to approve it herself", own_request),
    ("Ann approves with one click", approve),
    ("psql on your own database, read only", read_own),
)
