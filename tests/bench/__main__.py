"""All measurements, one after the other: `make bench`."""

from __future__ import annotations

from tests.bench import latency, long_texts, masking

latency.main()
long_texts.main()
masking.main()
