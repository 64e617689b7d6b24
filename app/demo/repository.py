"""The demo's own Git repository: one reviewed runbook, committed by Ann."""

from __future__ import annotations

from pathlib import Path

from dulwich import porcelain
from dulwich.repo import Repo

NAME = "refund.runbook.sql"
TEXT = """---
title: Refund an order
description: What support asks for most.
resource: prod-db
timeout: 1m
lock: "refund {{ .order }}"
parameters:
  order: {type: integer, min: 1, description: The number of the order.}
---
-- dry run: The order and whose it is
SELECT o.id, o.status, o.total, c.name, c.email
FROM orders AS o JOIN customers AS c ON c.id = o.customer_id
WHERE o.id = {{ .order }}

-- step: Refund it
UPDATE orders SET status = 'refunded' WHERE id = {{ .order }} AND status IN ('paid', 'shipped')

-- step: The order now
SELECT id, status, total FROM orders WHERE id = {{ .order }}

-- rollback: Back to paid
UPDATE orders SET status = 'paid' WHERE id = {{ .order }} AND status = 'refunded'
"""


def make(folder: Path) -> None:
    """Create the repository with one commit on its branch `main`."""
    folder.mkdir()
    repo = Repo.init(str(folder), default_branch=b"main")
    try:
        (folder / NAME).write_text(TEXT, encoding="utf-8")
        porcelain.add(repo, [str(folder / NAME)])
        ann = b"Ann Admin <ann@example.com>"
        porcelain.commit(repo, message=b"Refund an order, reviewed by Bob", author=ann, committer=ann)
    finally:
        repo.close()
