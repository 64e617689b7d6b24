"""The tour's step with break-glass: from the alarm to the closed attestation, and a freeze on the way."""

from __future__ import annotations

from app.demo.finding import REQUEST, TOKEN, URL, found
from app.demo.psql import Psql
from app.demo.report import expect
from app.demo.tour import CHANNEL, Tour
from app.demo.visitor import Seen

REASON = "Checkout is down since 02:10, a stuck order blocks the queue."
BREAK = f"/hoop break-glass prod-db 15m INC-77 {REASON} --scope write"
#: Without WHERE: under ordinary write access it would be held.
UNSTICK = "UPDATE orders SET status = status;"


async def emergency(tour: Tour) -> None:
    """Nobody is waited for, everybody is told, and it is accounted for."""
    dana, ann, bob = (tour.people[name] for name in ("dana", "ann", "bob"))
    tour.report.show(f"{BREAK} --confirm prod-db", "dana types:")
    answers = await dana.say(f"{BREAK} --confirm prod-db")
    for answer in answers:
        tour.report.show(answer.shown, "dana sees:")
    card = await ann.wait_for(CHANNEL, lambda m: "emergency" in m.kinds and "acknowledge" in m.buttons)
    tour.report.show(card.shown, "#prod-db:")
    for name in ("Ann Admin", "Bob Base", "Sam Security"):
        expect(name in card.text, f"{name} called by name")
    alarmed = await bob.wait_for("/private", lambda m: "emergency" in m.kinds)
    expect("broke glass" in alarmed.text, "Bob written to in person")
    tour.report.good("Access at once; owners, security and the approvers who were not waited for are called by name.")
    async with await _connected(tour) as psql:
        printed = await psql.run(UNSTICK)
        tour.report.show(f"shop=> {UNSTICK}\n{printed}")
        expect("UPDATE" in printed and "req_" not in printed, "the statement run at once")
        refused = await psql.run("DROP TABLE customers;")
        tour.report.show(f"shop=> DROP TABLE customers;\n{refused}")
        expect("not dropped" in refused, "what is forbidden still forbidden")
        masked = await psql.run("SELECT email FROM customers WHERE id = 3;")
        email = (await tour.truth("SELECT email FROM customers WHERE id = 3"))[0][0]
        expect(email not in masked, "results still masked")
        await ann.press(card.buttons["acknowledge"])
        seen = await ann.wait_for(CHANNEL, lambda m: m.id == card.id and "acknowledge" not in m.buttons)
        expect("Acknowledged by Ann Admin" in seen.text, "who looks after it, on the card")
        frozen = await ann.say("/hoop deny-all prod-db looking at what happened --sessions keep")
        expect(any("Frozen" in answer.text for answer in frozen), "a freeze by one person")
        stopped = await _until_frozen(psql)
        tour.report.show(f"shop=> SELECT 1;\n{stopped}")
    lifted = [*(await ann.say("/hoop lift prod-db")), *(await bob.say("/hoop lift prod-db"))]
    expect(any("goes on" in answer.text for answer in lifted), "a freeze lifted by two")
    tour.report.good("Denials, masking and recording stay; a freeze stops even this, and takes two people to lift.")
    await _accounted(tour, card)


async def _until_frozen(psql: Psql) -> str:
    printed = ""
    for _ in range(50):
        printed = await psql.run("SELECT 1;")
        if "is frozen by Ann Admin" in printed:
            return printed
    expect("is frozen by" in printed, "a freeze told in the session")
    return printed


async def _connected(tour: Tour) -> Psql:
    """Dana's psql with the token of this access."""
    dana = tour.people["dana"]
    old = tour.token
    connection = await dana.wait_for("/private", lambda m: URL.search(m.text) is not None and "Write access" in m.text)
    secret = await dana.wait_for("/private", lambda m: (t := TOKEN.search(m.text)) is not None and t[0] != old)
    tour.url, tour.token = found(URL, connection.text, "a connection"), found(TOKEN, secret.text, "a token")
    return tour.psql()


async def _accounted(tour: Tour, card: Seen) -> None:
    dana, bob = tour.people["dana"], tour.people["bob"]
    request = found(REQUEST, card.text, "a request id")
    await dana.say(f"/hoop done {request}")
    refused = await dana.say(f"{BREAK} --confirm prod-db")
    expect(any("is not closed" in answer.text for answer in refused), "the next use blocked")
    tour.report.show(refused[-1].shown, "dana tries again:")
    await dana.say(f"/hoop attest {request} Touched every order so that the queue reads them again; it moves.")
    attested = await bob.wait_for(CHANNEL, lambda m: m.id == card.id and "justified" in m.buttons)
    tour.report.show(attested.shown, "#prod-db:")
    await bob.press(attested.buttons["justified"])
    closed = await bob.wait_for(CHANNEL, lambda m: m.id == card.id and "Closed: justified" in m.text)
    tour.report.show(closed.shown, "#prod-db:")
    tour.report.good("Dana said what she did, Bob closed it; until then there was no second time.")
