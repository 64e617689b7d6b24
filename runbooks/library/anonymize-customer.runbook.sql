---
title: Anonymize a customer
description: Replace everything personal about one customer of the sample shop; orders stay.
timeout: 1m
lock: "customer {{ .customer }}"
parameters:
  customer:
    type: integer
    min: 1
    description: The number of the customer.
documentation: |
  An example on the sample shop. It cannot be taken back.
---
-- dry run: What is kept about them
SELECT c.id, c.city, c.plan, count(t.id) AS tickets
FROM customers AS c LEFT JOIN support_tickets AS t ON t.customer_id = c.id
WHERE c.id = {{ .customer }}
GROUP BY c.id, c.city, c.plan

-- step: Their tickets
UPDATE support_tickets SET body = '(removed on request)' WHERE customer_id = {{ .customer }}

-- step: The customer
UPDATE customers
SET name = 'Removed', email = 'removed-' || id || '@example.invalid', phone = '', card_number = '', ssn = '', birth_date = date '1900-01-01'
WHERE id = {{ .customer }}
