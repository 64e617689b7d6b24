"""The wire: the policy enforcement point. Clients speak their own protocol to it; nothing gets past it unjudged.

- **Conversation** (`conversation`): sans-io. What enters are calls (client bytes, upstream bytes, an answer, a tick, a
  cut, a close); what leaves is **Outputs**: records, questions, bytes to the upstream, bytes to the client, a close.
  The driver performs them in that order, so nothing is forwarded that was not recorded.
- **Gate** (`gate`): judge → record → forward → outcome, for every protocol; it parks on a **Question** to a port.
- **Recording** (`recording`): what a record is.
- **Session, Gateway, Upstream** (`session`, `server`, `upstream`): the only files with sockets.
- **House** (`house`, `ssh/house`): the gateway as its connections see it; `watch` ends sessions whose access is over.
- `postgres/`: messages (bytes ↔ values), startup and login, exchange (what is under way), conversation (states), client
  (Executor), judge (Judge), doctor. `ssh/`: the same for SSH.
- `sql/`: what a statement does. `masking/`: what leaves a protected target.
"""
