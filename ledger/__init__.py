"""What happened, and everything SQL: the store, the hash-chained ledger, recordings.

The primitives:

- **Store** (`store`): one writer thread that commits what waits together (`lanes`), readers beside it, a watcher that
  wakes subscribers (`watch`). **Transaction** (`transaction`) is one unit of work, in four parts: `decisions` (requests,
  votes, grants), `connections` (credentials, sessions), `conversation` (chat), `journal` (events).
- **Tables** (`tables`, `migrations`): the schema and the constraints the database repeats. `rows` turns values into rows.
- **Sealer** (`sealing`): what only a few may read is encrypted at rest.
- **Chain** (`chain`): what is hashed, pure. **Checkpoints** (`checkpoints`) sign the heads of all writers and are exported;
  **verify** (`verify`) finds the first event that is not what it was; **erase** (`retention`) deletes payloads, on record.
- **SessionLog** (`sessions`): session rows with their facts; a dead node's sessions are closed as lost.
- **Recordings** (`recordings`, `segments`): what went over the wire, written before it was forwarded; **replay** (`replay`)
  shows it as a timeline, in the terminal, or as asciicast. `syncing` makes them durable, in the process's redo log (`redo`)
  where many grow; `finishing` puts back and finishes what a crash left. **Views** (`views`) are the lists people ask for.
"""
