"""How a request becomes a grant. Imports only `access`.

- `lifecycle`: the transition tables of requests and grants, and the pure step from one row to the next with its fact.
- `flow`: who may decide, how many must, and the limits on what may be asked (pure).
- `asking`, `deciding`, `granted`: what happens in one transaction, as functions of an `Office` (people, resources,
  limits) and a `Tx`. They return the new row or the refusal; a refusal is returned, not raised, because its fact commits.
- `desk`: the service over them. Every method is one transaction, tried again when another process was first.
- `book`: the live grants in memory, for the data path.
"""
