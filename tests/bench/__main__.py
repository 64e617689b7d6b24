"""All measurements, one after the other: `make bench`."""

from __future__ import annotations

from tests.bench import latency, masking

latency.main()
masking.main()
