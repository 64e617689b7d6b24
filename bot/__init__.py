"""The conversation with people: what they say becomes an intent, what happens becomes a card.

The primitives, in reading order:

- `grammar` turns text into an **Intent** (`intents`); the command line uses the same one.
- **Card** and **Form** (`cards`) are platform-neutral messages; `views` renders rows of the store into them (pure).
- **Handlers** (`handlers`) are the use cases behind every verb, button and form, shared by all platforms.
- **Platform** and **Reply** (`platform`) are what a chat platform must offer.
- **Announcer** (`announcer`) follows the ledger and keeps every copy of every card right; **Sender** (`sender`) delivers.
- **Runner** (`executing`) runs approved commands once.

A chat message is a rendering of a row, never the source of truth; a button carries an opaque token that names a row.
"""
