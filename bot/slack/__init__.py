"""Slack: everything of the chat in Slack, with Slack's own libraries only at the rim.

Pure: `limits`, `rich`, `tables`, `render` (Card → message or modal), `modals` (Form ↔ modal), `home`, `payloads` (what
Slack sent → **Delivery**), `spoken` (a mention → what was typed), `guard` (is this request really Slack's?).
Rim: `app` (Bolt, sockets, HTTP), `inbox` (every delivery once, none lost), `worker` (a delivery → the conversation),
`replies`, `platform` (cards out), `accounts` and `members` (who is this?), `api` (calls, with their errors), `check`.
"""
