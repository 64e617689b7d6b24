"""Other projects' published sources, fetched when a judge runs and never kept in this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

#: Kept between runs, ignored by Git. `HOOP_PEERS_DIR` moves it.
CACHE = Path(os.environ.get("HOOP_PEERS_DIR", Path(__file__).parents[3] / ".peers"))
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def sdist(package: str, *, without: str = "") -> Path:
    """The unpacked source distribution of the version that is installed. `without` is a folder of it that would be
    imported in place of the installed package. Raises CalledProcessError."""
    wanted = version(package)
    home = CACHE / f"{package}-{wanted}"
    if not home.is_dir():
        archives = CACHE / "archives"
        archives.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [*_PIP, "download", "--no-deps", "--no-binary", package, "--dest", str(archives), f"{package}=={wanted}"],
            check=True,
        )
        archive = next(archives.glob(f"{package.lower()}-{wanted}.tar.gz"))
        with tarfile.open(archive) as opened:
            opened.extractall(CACHE, filter="data")
        unpacked = CACHE / archive.name.removesuffix(".tar.gz")
        if without:
            shutil.rmtree(unpacked / without)
        unpacked.replace(home)
    return home


def extra(*packages: str) -> Path:
    """A folder with packages that a suite needs and this project does not. Raises CalledProcessError."""
    home = CACHE / f"extra-{'-'.join(sorted(packages))}"
    if not home.is_dir():
        subprocess.run([*_PIP, "install", "--no-deps", "--target", str(home), *packages], check=True)
    return home


def npm(*packages: str) -> Path:
    """A folder with `node_modules` of these packages. Raises CalledProcessError."""
    home = CACHE / f"npm-{'-'.join(sorted(packages))}"
    if not (home / "node_modules").is_dir():
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(home), *packages], check=True
        )
    return home
