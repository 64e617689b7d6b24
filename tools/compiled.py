"""Says which compiled parts the installation went on without; with CI=true that is an error where a compiler is.

setuptools leaves an optional part out without a word when it does not compile, and pip would not show the word.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from proxy.native import missing

HINT = """\
hoop works without them, slower. With a C compiler and Python's headers (apt install gcc python3-dev):
    rm .venv/installed-* and make again; the compiler's own words are shown by
    .venv/bin/python -m pip install -v --no-deps --no-build-isolation --no-index --editable ."""


def can_compile() -> bool:
    """Whether there is what compiling them needs."""
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return headers.is_file() and any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang")))


def main() -> int:
    lacking = list(missing())
    if not lacking:
        return 0
    sys.stderr.write("\n".join([*(f"NOT IN USE: {line}" for line in lacking), HINT, ""]))
    return 1 if os.environ.get("CI") == "true" and can_compile() else 0


if __name__ == "__main__":
    sys.exit(main())
