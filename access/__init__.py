"""What the words mean, and who may do what. Pure: imports only the standard library, knows no I/O.

The glossary (each word is a class in the module named):

- **Actor** (`actors`): the answerable person, possibly *via* an AI **Agent**. **Person** is (issuer, subject).
- **Resource** (`resources`): one protected target with its labels, owners, approvers and **Upstream**.
- **Statement** (`statements`): one unit of work as the wire saw it; **Effect**, **Flag**; **Binding** is what an approval
  is bound to and **Digest** its SHA-256.
- **Scope** (`scopes`): what is allowed: `Read`, `Write`, `Admin` (standing, ordered by **Level**), exactly one thing:
  `Once`, `OfRunbook`, or the clear values of named columns, beside access: `Unmask`.
- **AccessRequest → Review → Grant** (`requests`): asking, deciding, access. **Evidence** is what an approver sees.
  **Credential** is what a client connects with; **Session** one connection under it.
- **Policy, Rule, Verdict** (`policy`): `decide` is the pure answer on a Statement: ALLOW, HOLD or DENY, rule and message.
- **Fact** (`facts`, `events`): a recorded event in the past tense; **StoredEvent** its place in the hash chain.
- **Masked, ForApprover** (`masking`): the only two types in which target data may leave the gateway.
- **Denied, Invalid, Conflict, Unavailable** (`errors`): the ways things go wrong.
- Protocols where rooms meet: `ports` (Clock, Store, Desk, Grants, Directory, Credentials, Vault, Recordings, Executor, …).

Import from the modules; this page only explains.
"""
