"""How long what is done at once may take in a test: much less than what it cuts short, and more than a busy machine needs.

Figures are what benchmarks are for (`make bench`, `make bench-ssh`).
"""

from __future__ import annotations

#: Seconds.
SOON = 4.0
