"""What a SQL statement does, told from PostgreSQL's own grammar and a snapshot of the target's catalog.

- `parse` (text → trees), `catalog` (what names mean on one upstream database; `catalog_loader` reads it), `classify.judge`
  (trees + catalog + session → `judged.Judged`: access Statements, and the controls the wire follows).
- The walk: `walk` (queries and expressions) ← `setting_calls` ← `dml` (changes, and what the catalog makes of them) ←
  `utility` (DDL, administration) ← `statements` (session, COPY, EXPLAIN). `nodes` says which trees there are.
- The reviewed lists: `functions`, `relations`, `settings`; `known` puts them and the catalog together.
- How far it reaches: `bounds` with `comparisons` (may a change touch every row?), `rows` (may a query return them all?).
- `lineage` traces output columns to base columns.

Everything here but `catalog_loader` is pure. It works by allow-lists: what is not known is not understood, and what is
not understood is refused.
"""
