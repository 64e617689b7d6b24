"""`make fuzz-native`: the comparisons of `comparing`, `lanes` and `sockets` with the compiled parts built under AddressSanitizer and UBSan.

The instrumented modules are built into a directory of their own; those that are installed are not touched.
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

PROXY = Path(__file__).parents[3] / "proxy"
MODULES = ("_native", "_lane", "_plain")
FLAGS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_WHERE = "HOOP_SANITIZED"


def _built(directory: Path, module: str) -> Path:
    return directory / f"{module}{importlib.machinery.EXTENSION_SUFFIXES[0]}"


def build(directory: Path) -> None:
    """The instrumented modules. Raises CalledProcessError when one does not compile."""
    include = f"-I{sysconfig.get_path('include')}"
    for module in MODULES:
        source, built = str(PROXY / f"{module}.c"), str(_built(directory, module))
        subprocess.run(["gcc", "-shared", "-fPIC", *FLAGS, include, source, "-o", built], check=True)


def run(seed: int, count: int) -> subprocess.CompletedProcess[str]:
    """Compare in a process of its own, which the sanitizers end at the first fault."""
    with tempfile.TemporaryDirectory() as directory:
        runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
        build(Path(directory))
        environment = {
            **os.environ, _WHERE: directory, "LD_PRELOAD": runtime.stdout.strip(),
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "PYTHONMALLOC": "malloc",
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.proxy.peers.sanitized", str(seed), str(count)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def available() -> bool:
    return shutil.which("gcc") is not None


def _inside(path: str, seed: int, count: int) -> int:
    for name in MODULES:
        spec = importlib.util.spec_from_file_location(f"proxy.{name}", _built(Path(path), name))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[f"proxy.{name}"] = module

    from proxy.native import native, plain_way, short_way
    from tests.proxy.peers import comparing, lanes, memory, sockets, taking_apart

    assert [native, short_way, plain_way] == [sys.modules[f"proxy.{name}"] for name in MODULES]

    tally = comparing.Tally()
    comparing.compare_texts(tally, seed, count)
    comparing.compare_rows(tally, seed, count // 10)
    comparing.compare_streams(tally, seed, count // 200)
    comparing.compare_forms(tally, seed, count // 10)
    comparing.compare_batches(tally, seed, count // 20)
    apart = taking_apart.Tally()
    taking_apart.compare_plain(apart, seed, count // 50)
    ways = lanes.Tally()
    lanes.compare_lanes(ways, seed, count // 50)
    lanes.compare_faults(ways, seed, count // 50)
    lanes.compare_pens(ways, seed, count // 100)
    memory.compare_memory(ways, seed, count // 100)
    sockets.compare_sockets(ways, seed, count // 200)
    print(
        f"{tally.texts} texts, {tally.certain} certain, {tally.found} with something in them, {tally.sifted} clean without detectors; {tally.rows} rows and lines; {tally.streams} streams; {tally.forms} forms; {tally.batches} batches, {tally.filled} told in C; "
        f"{len(tally.differences)} differences"
    )
    print(
        f"{ways.sessions} sessions, pens and pollers, {ways.steps} steps, {ways.damaged} damaged, {ways.short} short, {ways.wired} from socket to socket; "
        f"{len(ways.differences)} differences"
    )
    print(
        f"{apart.texts} statements taken apart, {apart.plain} plain, {apart.damaged} out of damaged JSON; {len(apart.differences)} differences"
    )
    differences = tally.differences + ways.differences + apart.differences
    for one in differences[:10]:
        print(one)
    return 1 if differences or not tally.found or not ways.wired or not apart.damaged else 0


if __name__ == "__main__":
    given = int(sys.argv[1]), int(sys.argv[2])
    if _WHERE in os.environ:
        raise SystemExit(_inside(os.environ[_WHERE], *given))
    done = run(*given)
    print(done.stdout, done.stderr[-4000:], sep="")
    raise SystemExit(done.returncode)
