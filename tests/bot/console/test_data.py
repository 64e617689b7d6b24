"""The page that says where personal data is: by the last scans, for those who answer for the resource, without values."""

from __future__ import annotations

from access.ports import Tx
from bot.console.data import KIND
from tests.bot.console.conftest import Open
from tests.bot.console.scene import Scene
from tests.fakes.world import ANN, DANA, OLGA


def scanned(tx: Tx, resource: str = "prod-db") -> None:
    column = {
        "column": "public.customers.<b>email</b>",
        "entity": "email",
        "confidence": 0.987,
        "evidence": "200 of 200 values",
        "today": "no rule",
    }
    line = "+    - {columns: [public.customers.email], entity: email, strategy: shape}"
    data = {"resource": resource, "at": tx.now.isoformat(), "sampled": "3 tables", "columns": [column]}
    tx.put_doc(KIND, resource, data | {"proposal": [" masking:", "   columns:", line]}, group=resource)


async def test_it_is_for_those_who_answer_for_the_resource(scene: Scene, opened: Open) -> None:
    await scene.store.transact(scanned)
    for who in (ANN, OLGA):
        page = await opened(who).page("/data")
        assert "public.customers" in page
        assert "200 of 200 values" in page
        assert "0.99" in page
        assert "entity: email, strategy: shape" in page
        assert "<b>email" not in page
        assert "&lt;b&gt;email" in page
        assert '<span class="chip plain wait">no rule</span>' in page
    page = await opened(DANA).page("/data")
    assert "200 of 200" not in page
    assert "Nothing was scanned yet" in page


async def test_a_resource_that_was_removed_is_not_shown(scene: Scene, opened: Open) -> None:
    await scene.store.transact(lambda tx: scanned(tx, "gone-db"))
    assert "Nothing was scanned yet" in await opened(ANN).page("/data")


async def test_a_scan_that_found_nothing_says_so(scene: Scene, opened: Open) -> None:
    def clean(tx: Tx) -> None:
        data = {"resource": "prod-db", "at": tx.now.isoformat(), "sampled": "3 tables", "columns": [], "proposal": []}
        tx.put_doc(KIND, "prod-db", data, group="prod-db")

    await scene.store.transact(clean)
    page = await opened(ANN).page("/data")
    assert "No personal data was found in the samples" in page
    assert "Nothing to add to" in page
    assert "<table" not in page
