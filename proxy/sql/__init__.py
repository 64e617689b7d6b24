"""What a SQL statement does, told from PostgreSQL's own grammar and a snapshot of the target's catalog.

Primitives: `parse.parse` (text → trees), `catalog.Catalog` (what names mean on one upstream database, loaded by
`catalog_loader`), `classify.judge` (trees + catalog + session → `judged.Judged`, i.e. access Statements and what the
wire must follow). Everything here but `catalog_loader` is pure. It works by allow-lists: what is not known is not
understood, and what is not understood is refused.
"""
