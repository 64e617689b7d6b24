"""The built-in web console: the third chat platform, the fallback when chat is down, and the demo.

The primitives, in reading order:

- `messages`: what was said, as documents of the store, and the numbered changes that make live updates resumable.
- `platform`: **ConsolePlatform**, the outbound side the announcer posts through.
- `render`: cards and forms as HTML (pure); `icons` the drawings, `templates/` the pages, `static/` style and script.
- `guard`: who is asking and may they: Host and Origin lists, CSRF tokens, headers, limits (pure where it can be).
- `replies`: answers only one person sees, in memory, never stored.
- `app`: **create_app**, the rim; `identity` logs people in, `pages` answers GET, `actions` answers POST, `live` streams.

Everything a person sees is looked up and judged again on every request; a page is a rendering, never the authority.
"""
