"""`make fuzz-native`: the comparison of `comparing` with the compiled part built under AddressSanitizer and UBSan.

The instrumented module is built into a directory of its own; the one that is installed is not touched.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parents[3] / "proxy" / "_native.c"
FLAGS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_WHERE = "HOOP_SANITIZED"


def build(directory: Path) -> Path:
    """The instrumented module. Raises CalledProcessError when it does not compile."""
    built = directory / f"_native{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run(["gcc", "-shared", "-fPIC", *FLAGS, include, str(SOURCE), "-o", str(built)], check=True)
    return built


def run(seed: int, count: int) -> subprocess.CompletedProcess[str]:
    """Compare in a process of its own, which the sanitizers end at the first fault."""
    with tempfile.TemporaryDirectory() as directory:
        runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
        environment = {
            **os.environ, _WHERE: str(build(Path(directory))), "LD_PRELOAD": runtime.stdout.strip(),
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "PYTHONMALLOC": "malloc",
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.proxy.peers.sanitized", str(seed), str(count)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def available() -> bool:
    return shutil.which("gcc") is not None


def _inside(path: str, seed: int, count: int) -> int:
    spec = importlib.util.spec_from_file_location("proxy._native", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["proxy._native"] = module

    from tests.proxy.peers import comparing

    tally = comparing.Tally()
    comparing.compare_texts(tally, seed, count)
    comparing.compare_rows(tally, seed, count // 10)
    print(
        f"{tally.texts} texts, {tally.certain} certain, {tally.found} with something in them, {tally.sifted} clean without detectors; {tally.rows} rows and lines; "
        f"{len(tally.differences)} differences"
    )
    for one in tally.differences[:10]:
        print(one)
    return 1 if tally.differences or not tally.found else 0


if __name__ == "__main__":
    given = int(sys.argv[1]), int(sys.argv[2])
    if _WHERE in os.environ:
        raise SystemExit(_inside(os.environ[_WHERE], *given))
    done = run(*given)
    print(done.stdout, done.stderr[-4000:], sep="")
    raise SystemExit(done.returncode)
