"""How a request becomes a grant. Imports only `access`.

- `lifecycle`: the transition tables of requests and grants, and the pure step from one row to the next with its fact.
- `model`, `parse`, `shelf`: flows as values, read from files; the set in force and its last good version. `good_parts`: what is left of a broken set.
- `choose`, `stages`, `explain`: which flow a request takes, who decides it and how far it is, in words (pure).
- `flow`: the limits on what may be asked, and who may vote (pure). `routing`: the flow of a request, as the office knows it.
- `asking`, `deciding`, `revising`, `proposing`, `granting`, `granted`, `timetable`: what happens in one transaction, as functions of an `Office` (people, resources,
  limits) and a `Tx`. They return the new row or the refusal; a refusal is returned, not raised, because its fact commits.
- `desk`: the service over them. Every method is one transaction, tried again when another process was first.
- `book`: the live grants in memory, for the data path.
"""
