from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from access.errors import Invalid
from access.ids import RequestId
from access.ports import ActionToken, MessageRef, OutboxItem, Tx
from ledger.store import Store, as_transaction
from tests.fakes.clock import START, ManualClock


async def everything(store: Store, table: str) -> str:
    query = text(f"SELECT * FROM {table}")
    return repr(await store.read(lambda tx: as_transaction(tx).connection.execute(query).all()))


# ------------------------------------------------------------------------------------------ inbox


async def test_a_delivery_is_new_once(store: Store) -> None:
    assert not await store.transact(lambda tx: tx.seen("slack:Ev1"))
    assert await store.transact(lambda tx: tx.seen("slack:Ev1"))
    assert not await store.transact(lambda tx: tx.seen("slack:Ev2"))


async def test_a_delivery_whose_handling_failed_is_new_again(store: Store) -> None:
    def fails(tx: Tx) -> None:
        assert not tx.seen("slack:Ev1")
        raise RuntimeError("handler")

    with pytest.raises(RuntimeError):
        await store.transact(fails)
    assert not await store.transact(lambda tx: tx.seen("slack:Ev1"))


async def test_of_many_equal_deliveries_at_once_one_is_new(store: Store) -> None:
    seen = await asyncio.gather(*(store.transact(lambda tx: tx.seen("slack:Ev1")) for _ in range(20)))
    assert sorted(seen) == [False, *[True] * 19]


# ------------------------------------------------------------------------------------------ outbox


def item(target: str = "slack:C1", word: str = "hello", **rest: Any) -> OutboxItem:
    return OutboxItem(target, "card", {"text": word, "nested": {"a": [1, None]}}, **rest)


async def words(store: Store, limit: int = 50) -> list[str]:
    return [one.payload["text"] for one in await store.read(lambda tx: tx.outbox(limit))]


async def put(store: Store, *items: OutboxItem) -> None:
    def work(tx: Tx) -> None:
        for one in items:
            tx.enqueue(one)

    await store.transact(work)


async def test_a_message_comes_back_as_it_went_in(store: Store) -> None:
    await put(store, item(coalesce="card:req_1"))
    (found,) = await store.read(lambda tx: tx.outbox())
    assert found == replace(item(coalesce="card:req_1"), id=found.id)
    assert found.id > 0


async def test_messages_of_one_target_leave_in_order_targets_do_not_wait_for_each_other(store: Store) -> None:
    await put(store, item(word="a1"), item(word="a2"), item("slack:C2", "b1"), item(word="a3"))
    assert await words(store) == ["a1", "b1"]
    assert await words(store, limit=1) == ["a1"]
    first = (await store.read(lambda tx: tx.outbox()))[0]
    await store.transact(lambda tx: tx.settle(first.id))
    assert await words(store) == ["a2", "b1"]


async def test_one_line_is_seen_in_order_up_to_what_waits(store: Store, clock: ManualClock) -> None:
    await put(store, item(word="a1"), item("slack:C2", "b1"), item(word="a2"), item(word="a3"))

    async def line(**which: Any) -> list[str]:
        return [one.payload["text"] for one in await store.read(lambda tx: tx.outbox(target="slack:C1", **which))]

    assert await line() == await line(kind="card") == ["a1", "a2", "a3"]
    assert (await line(limit=2), await line(kind="other")) == (["a1", "a2"], [])
    second = (await store.read(lambda tx: tx.outbox(target="slack:C1")))[1]
    await store.transact(lambda tx: tx.settle(second.id, retry_at=START + timedelta(seconds=5)))
    assert await line() == ["a1"]
    clock.advance(5)
    assert await line() == ["a1", "a2", "a3"]


async def test_a_failed_message_blocks_only_its_target_until_its_time(store: Store, clock: ManualClock) -> None:
    await put(store, item(word="a1"), item(word="a2"), item("slack:C2", "b1"))
    first = (await store.read(lambda tx: tx.outbox()))[0]
    await store.transact(lambda tx: tx.settle(first.id, retry_at=START + timedelta(seconds=5), error="rate\x00limited"))
    assert await words(store) == ["b1"]
    clock.advance(5)
    assert await words(store) == ["a1", "b1"]
    again = (await store.read(lambda tx: tx.outbox()))[0]
    assert (again.attempts, again.not_before) == (1, START + timedelta(seconds=5))


async def test_a_newer_message_replaces_the_unsent_older_one(store: Store) -> None:
    await put(store, item(word="old", coalesce="k"), item(word="other"), item("slack:C2", "elsewhere", coalesce="k"))
    await put(store, item(word="new", coalesce="k"))
    assert await words(store) == ["other", "elsewhere"]
    other = (await store.read(lambda tx: tx.outbox()))[0]
    await store.transact(lambda tx: tx.settle(other.id))
    assert sorted(await words(store)) == ["elsewhere", "new"]


async def test_settling_a_replaced_message_leaves_the_newer_one(store: Store) -> None:
    await put(store, item(word="old", coalesce="k"))
    (sending,) = await store.read(lambda tx: tx.outbox())
    await put(store, item(word="new", coalesce="k"))
    await store.transact(lambda tx: tx.settle(sending.id))
    await store.transact(lambda tx: tx.settle(sending.id, retry_at=START + timedelta(days=1)))
    assert await words(store) == ["new"]


async def test_private_messages_are_not_readable_in_the_database(store: Store) -> None:
    await put(store, item(word="token hunter2"))
    assert "hunter2" not in await everything(store, "outbox")


# ------------------------------------------------------------------------------------------ buttons, cards, cursors


async def test_a_button_is_found_by_its_token_only(store: Store) -> None:
    made = ActionToken("s3cr3t", "approve", RequestId("req_1"), 2, START, "local|otto", {"a": "b"})
    await store.transact(lambda tx: tx.insert_token(made))
    assert await store.read(lambda tx: tx.token("s3cr3t")) == made
    assert await store.read(lambda tx: tx.token("S3CR3T")) is None
    assert "s3cr3t" not in await everything(store, "action_token")


async def test_a_card_is_remembered_where_it_was_posted(store: Store) -> None:
    ref = MessageRef("req_1", "card", "slack", "C1", "171.1", "170.0", "", "v1\x00")
    private = MessageRef("req_1", "card", "slack", "D7", "171.2", audience="local|otto")
    other = MessageRef("req_1", "summary", "slack", "C1", "171.3")

    def work(tx: Tx) -> None:
        for one in (ref, private, other, replace(ref, message="171.9", rendered="v2")):
            tx.put_ref(one)

    await store.transact(work)
    assert await store.read(lambda tx: tx.refs("req_1")) == [
        replace(ref, message="171.9", rendered="v2"),
        private,
        other,
    ]
    assert await store.read(lambda tx: tx.refs("req_1", kind="summary")) == [other]
    assert await store.read(lambda tx: tx.refs("req_2")) == []


async def test_a_cursor_starts_at_zero_and_moves(store: Store) -> None:
    assert await store.read(lambda tx: tx.cursor("announcer")) == 0
    await store.transact(lambda tx: tx.set_cursor("announcer", 7))
    await store.transact(lambda tx: tx.set_cursor("announcer", 9))
    assert await store.read(lambda tx: tx.cursor("announcer")) == 9


# ------------------------------------------------------------------------------------------ documents


async def test_documents_make_lists_in_insertion_order(store: Store) -> None:
    def fill(tx: Tx) -> None:
        for key in ("m1", "m2", "m3"):
            tx.put_doc("message", key, {"n": key}, group="ops" if key != "m2" else "dev")
        tx.put_doc("message", "m1", {"n": "edited"}, group="ops")
        tx.put_doc("link", "m1", {"n": "another kind"})

    await store.transact(fill)

    async def keys(**wanted: Any) -> list[str]:
        return [key for key, _ in await store.read(lambda tx: tx.docs("message", **wanted))]

    assert await keys() == ["m1", "m2", "m3"]
    assert await keys(group="ops") == ["m1", "m3"]
    assert await keys(limit=2) == ["m2", "m3"]
    assert await store.read(lambda tx: tx.doc("message", "m1")) == {"n": "edited"}
    assert await store.read(lambda tx: tx.doc("link", "m1")) == {"n": "another kind"}
    assert await store.read(lambda tx: tx.doc("message", "m9")) is None


async def test_a_document_is_over_at_its_time(store: Store, clock: ManualClock) -> None:
    await store.transact(lambda tx: tx.put_doc("link", "a", {"x": 1}, expires_at=START + timedelta(minutes=5)))
    clock.advance(299)
    assert await store.read(lambda tx: tx.doc("link", "a")) == {"x": 1}
    clock.advance(1)
    assert await store.read(lambda tx: tx.doc("link", "a")) is None
    assert await store.read(lambda tx: tx.docs("link")) == []
    assert await store.transact(lambda tx: tx.take_doc("link", "a")) is None


async def test_a_document_is_taken_once_also_in_a_race(store: Store) -> None:
    await store.transact(lambda tx: tx.put_doc("link", "a", {"x": 1}))
    taken = await asyncio.gather(*(store.transact(lambda tx: tx.take_doc("link", "a")) for _ in range(20)))
    assert [one for one in taken if one is not None] == [{"x": 1}]


async def test_a_taken_document_is_there_again_when_the_work_fails(store: Store) -> None:
    def work(tx: Tx) -> None:
        assert tx.take_doc("link", "a")
        raise RuntimeError("after taking")

    await store.transact(lambda tx: tx.put_doc("link", "a", {"x": 1}))
    with pytest.raises(RuntimeError):
        await store.transact(work)
    assert await store.transact(lambda tx: tx.take_doc("link", "a")) == {"x": 1}


async def test_documents_are_not_readable_in_the_database(store: Store) -> None:
    await store.transact(lambda tx: tx.put_doc("message", "a", {"text": "token hunter2"}))
    assert "hunter2" not in await everything(store, "doc")


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), b"bytes"])
async def test_only_plain_json_is_a_document(store: Store, value: object) -> None:
    with pytest.raises(Invalid, match="document link/a"):
        await store.transact(lambda tx: tx.put_doc("link", "a", {"x": value}))


async def test_a_name_that_can_not_be_stored_is_an_error_of_the_caller(store: Store) -> None:
    with pytest.raises(Invalid):
        await store.transact(lambda tx: tx.put_doc("link", "\ud800", {}))
    assert await store.transact(lambda tx: tx.seen("fine")) is False


async def test_tidying_drops_what_is_dead(store: Store, clock: ManualClock) -> None:
    def fill(tx: Tx) -> None:
        tx.seen("old")
        tx.put_doc("link", "over", {}, expires_at=START + timedelta(minutes=5))
        tx.put_doc("link", "kept", {})
        tx.insert_token(ActionToken("dead", "approve", RequestId("req_1"), 1, START))

    await store.transact(fill)
    clock.advance(8 * 86400)
    await store.transact(lambda tx: tx.seen("new"))
    assert await store.tidy() == 3
    assert await store.read(lambda tx: tx.token("dead")) is None
    assert await store.read(lambda tx: tx.doc("link", "kept")) == {}
    assert await store.transact(lambda tx: tx.seen("new"))
    assert not await store.transact(lambda tx: tx.seen("old"))
