---
title: Refund an order
description: Mark a paid or shipped order of the sample shop as refunded.
timeout: 1m
lock: "refund {{ .order }}"
parameters:
  order:
    type: integer
    min: 1
    description: The number of the order.
documentation: |
  An example on the sample shop. The dry run shows the order; nothing happens to one that is refunded already.
---
-- dry run: The order as it is
SELECT o.id, o.status, o.total, c.name, c.email
FROM orders AS o JOIN customers AS c ON c.id = o.customer_id
WHERE o.id = {{ .order }}

-- step: Refund it
UPDATE orders SET status = 'refunded' WHERE id = {{ .order }} AND status IN ('paid', 'shipped')

-- step: The order now
SELECT id, status, total FROM orders WHERE id = {{ .order }}

-- rollback: Back to paid
UPDATE orders SET status = 'paid' WHERE id = {{ .order }} AND status = 'refunded'
