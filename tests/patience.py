"""How long tests wait. Figures are what benchmarks are for (`make bench`, `make bench-ssh`)."""

from __future__ import annotations

#: Seconds that what is done at once may take: much less than what it cuts short, and more than a busy machine needs.
SOON = 4.0
#: Seconds after which something that has to come has not come. A machine that does other things takes its time: nobody waits
#: for this in a test that passes.
LONG = 30.0
#: The same for a process that is started, which reads a thousand modules first: 21 s were seen on two cores with a load of 8.
STARTED = 120.0
