"""The tour's step with a runbook: from Git, with a typed parameter, a dry run, and Apply bound to it."""

from __future__ import annotations

from app.demo.report import expect
from app.demo.tour import CHANNEL, Tour
from app.demo.visitor import Seen

ORDER = 81


async def runbook(tour: Tour) -> None:
    """Look at the order, apply what was looked at, see that another value never gets anywhere."""
    dana = tour.people["dana"]
    command = f"/hoop run refund order={ORDER}"
    tour.report.show(command, "dana types:")
    for answer in await dana.say('/hoop run refund order="81 OR true"'):
        expect("start_run" not in answer.buttons, "nothing to ask for with a value that is no number")
    preview = _with_button(await _said(tour, command), "start_run")
    expect("dry run" in preview.text.lower() and "Ann Admin" in preview.text, "the dry run, its commit and author")
    looked = await _approved(tour, preview, "dry run")
    email = (
        await tour.truth(
            f"SELECT email FROM customers JOIN orders o ON o.customer_id = customers.id WHERE o.id = {ORDER}"
        )
    )[0][0]
    expect("paid" in looked.text and email not in looked.text, "the order as it is, masked")
    expect(await _status(tour) == "paid", "nothing changed by looking")
    tour.report.good("The dry run showed the order, masked, in the thread; nothing changed.")
    preview = _with_button(await dana.press(looked.buttons["apply"]), "start_run")
    tour.report.show(preview.shown, "dana sees:")
    done = await _approved(tour, preview, "")
    expect(await _status(tour) == "refunded", "the order refunded")
    expect("2 of 2 steps" in done.text and "rollback" in done.buttons, "both steps, and the rollback on offer")
    again = await dana.press(looked.buttons["apply"])
    refused = [
        answer
        for seen in again
        for token in [seen.buttons.get("start_run")]
        if token
        for answer in await dana.press(token)
    ]
    expect(any("applied already" in seen.text for seen in refused), "a dry run that is applied once")
    tour.report.good(
        "Exactly what was shown ran, at the commit it was shown from; the dry run cannot be applied twice."
    )


async def _said(tour: Tour, command: str) -> list[Seen]:
    answers = await tour.people["dana"].say(command)
    for answer in answers:
        tour.report.show(answer.shown, "dana sees:")
    return answers


def _with_button(answers: list[Seen], do: str) -> Seen:
    found = [answer for answer in answers if do in answer.buttons]
    expect(found, f"a card with {do}; it says: {' '.join(answer.text for answer in answers)[:200]}")
    return found[0]


async def _approved(tour: Tour, preview: Seen, word: str) -> Seen:
    """Ask, let Bob approve, and wait for the result in the thread."""
    dana, bob = tour.people["dana"], tour.people["bob"]
    await dana.press(preview.buttons["start_run"])
    card = await bob.wait_for(
        CHANNEL, lambda m: "command" in m.kinds and "runbook" in m.text and word in m.text and "approve" in m.buttons
    )
    tour.report.show(card.shown, "#prod-db:")
    await bob.press(card.buttons["approve"])
    thread = f"{CHANNEL}?thread={card.id}"
    result = await dana.wait_for(thread, lambda m: "result" in m.kinds and "rerun" in m.buttons)
    tour.report.show(result.shown, "thread:")
    return result


async def _status(tour: Tour) -> str:
    return str((await tour.truth(f"SELECT status FROM orders WHERE id = {ORDER}"))[0][0])
