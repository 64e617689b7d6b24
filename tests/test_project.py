"""The project's own rules. Each test names one; the message says which file breaks it."""

from __future__ import annotations

import ast
import graphlib
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import grimp
import jsonschema
import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from proxy.masking import swift

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = [pattern.removesuffix("*") for pattern in PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]]
LOCKS = ["runtime", "demo", "test"]
MAX_LINES = 450


def tracked(*patterns: str) -> list[Path]:
    """Files of the commit or the index that are present, as paths below the root."""
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def text(name: str | Path) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------------- code


def test_the_detectors_are_those_the_compiled_part_was_written_for() -> None:
    """Else every value is looked at in Python: right, and many times slower."""
    found = swift.fingerprint()
    problem = "a detector changed: read proxy/_native_look.h and sifting against it, then set swift.RULED_OUT"
    assert found == swift.RULED_OUT, f"{problem} to {found!r}"


def test_modules_stay_small() -> None:
    sizes = {path: text(path).count("\n") for path in tracked("*.py") if path.parts[0] in ROOMS}
    too_long = {str(path): lines for path, lines in sizes.items() if lines > MAX_LINES}
    assert not too_long, f"split these modules, the limit is {MAX_LINES} lines: {too_long}"


def test_every_room_is_packaged_and_under_the_import_contract() -> None:
    present = {path.parts[0] for path in tracked("*/__init__.py") if path.parts[0] != "tests" and len(path.parts) == 2}
    assert present <= set(ROOMS), f"not packaged by pyproject.toml: {present - set(ROOMS)}"
    contracted = set(PYPROJECT["tool"]["importlinter"]["root_packages"])
    assert present <= contracted, f"not under the import contract: {present - contracted}"
    layers = " | ".join(PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"])
    assert set(re.findall(r"[a-z_]+", layers)) == set(ROOMS)


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Also not for types only, and not within a function: what a module is made of can be read from top to bottom."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    below = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(below).prepare()
    except graphlib.CycleError as circle:
        pytest.fail(f"take one of these imports away: {' <- '.join(circle.args[1])}")


def test_every_room_says_what_it_is() -> None:
    rooms = [path for path in tracked("*/__init__.py") if path.parts[0] in ROOMS and len(path.parts) == 2]
    silent = [str(path) for path in rooms if ast.get_docstring(ast.parse(text(path))) is None]
    assert not silent, f"write the docstring that names the room's primitives: {silent}"


# Who may state that a text is masked: the masker, and the ledger for what was stored as masked; the vocabulary's own
# helpers take masked text apart and put it together again; a proposed text comes out of its sealed document as it went in.
MAY_DECLARE_MASKED = {"proxy", "ledger"}
VOCABULARY_OF_MASKED = {"access/masking.py", "access/extracts.py", "access/proposals.py"}


def test_only_the_masker_and_the_ledger_declare_text_masked() -> None:
    """Rule 7: unmasked data never leaves proxy/."""
    found = []
    for path in tracked("*.py"):
        if path.parts[0] not in ROOMS or path.parts[0] in MAY_DECLARE_MASKED or str(path) in VOCABULARY_OF_MASKED:
            continue
        for node in ast.walk(ast.parse(text(path))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"declare_masked", "Masked"}:
                empty = len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == ""
                found += [] if empty else [f"{path}:{node.lineno}"]
    assert not found, f"only proxy/ and ledger/ may say that a text is masked: {found}"


def test_every_event_documents_itself() -> None:
    both = text("access/events.py") + text("access/flow_events.py").replace("from __future__ import annotations", "")
    tree = ast.parse(both)
    classes = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and ast.unparse(node).count("kind: ClassVar")
    ]
    silent = [node.name for node in classes if not ast.get_docstring(node)]
    kinds = re.findall(r'kind: ClassVar\[str\] = "([^"]*)"', both)
    assert not silent, f"events without a docstring: {silent}"
    assert len(kinds) == len(set(kinds))
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+|", kind) for kind in kinds), "an event is named subject.action"


def test_the_architecture_page_names_tests_that_exist() -> None:
    page = text("ARCHITECTURE.md")
    named = re.findall(r"`(tests/[\w/]+\.py)`", page)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
    for room in ROOMS:
        assert f"`{room}/`" in page or f"{room} " in page, f"ARCHITECTURE.md does not mention {room}"


# ---------------------------------------------------------------------------------- what must not be in a public checkout

MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:work|root|farm|home/\w+|Users/\w+|opt/(?:pypi|wheels))(?:/|\b)[\w.]*")
INDEX_ADDRESS = re.compile(
    r"(?:files\.pythonhosted|pypi(?:\.python)?)\.org|--(?:extra-)?index-url|--find-links", re.IGNORECASE
)
# Real ones: not the vendors' documented examples, and keys with a body.
SECRET = re.compile(
    r"xox[abprs]-(?!1234567890)[0-9A-Za-z-]{20,}|xapp-[0-9]-[0-9A-Za-z-]{20,}|AKIA(?![0-9A-Z]*EXAMPLE)[0-9A-Z]{16}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\s+[A-Za-z0-9+/=]{60,}){3}"
)

UNWANTED = [
    pytest.param(MACHINE_PATH, id="a path of somebody's machine"),
    pytest.param(INDEX_ADDRESS, id="the address of a package index"),
    pytest.param(SECRET, id="a secret"),
]


@pytest.mark.parametrize("pattern", UNWANTED)
def test_tracked_files_are_free_of(pattern: re.Pattern[str]) -> None:
    found = []
    for path in tracked():
        if path == Path(__file__).relative_to(ROOT):
            continue
        try:
            content = text(path)
        except UnicodeDecodeError:
            continue  # an image or a font
        found += [f"{path}:{content.count(chr(10), 0, hit.start()) + 1}: {hit[0]}" for hit in pattern.finditer(content)]
    assert not found


@pytest.mark.parametrize(
    ("pattern", "line", "wanted"),
    [
        (MACHINE_PATH, "see /root/.ssh/id for that", True),
        (MACHINE_PATH, 'DATA = "/home/ann/data"', True),
        (MACHINE_PATH, "GET /api/work/1", False),
        (MACHINE_PATH, "https://example.com/home/ann", False),
        (INDEX_ADDRESS, "https://pypi.org/simple", True),
        (INDEX_ADDRESS, "pip install --index-url x", True),
        (INDEX_ADDRESS, "aiohttp==3.1", False),
        (SECRET, "xoxb-" + "1" * 24, True),
        (SECRET, "xoxb-…", False),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str], line: str, wanted: bool) -> None:
    assert bool(pattern.search(line)) is wanted


def test_no_large_or_generated_files_are_tracked() -> None:
    large = [
        f"{path} ({(ROOT / path).stat().st_size} bytes)"
        for path in tracked()
        if (ROOT / path).stat().st_size > 2_000_000
    ]
    assert not large
    assert not [str(path) for path in tracked("*.pyc", "*.db", "*.sqlite", ".hoop/*", ".venv/*")]


# -------------------------------------------------------------------------------------------------------- dependencies


def declared(extra: str | None = None) -> list[Requirement]:
    project = PYPROJECT["project"]
    lines = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def locked(name: str) -> dict[str, str]:
    """Package → version of a lock file; asserts its form on the way."""
    pins: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", text(f"requirements/{name}.txt").replace("\\\n", "").strip()):
        head, *hashes = entry.split(" --hash=")
        specifier, _, marker = head.strip().partition(" ; ")
        package, separator, version = specifier.partition("==")
        assert separator, f"{name}.txt: not pinned to one version: {entry[:60]!r}"
        assert hashes, f"{name}.txt: no hash for {package}"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value.strip()) for value in hashes), f"{name}.txt: {package}"
        assert not marker or Marker(marker)
        pins[canonicalize_name(package)] = version
    return pins


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_hashed_and_name_no_address(name: str) -> None:
    assert locked(name)
    form = re.compile(r"[a-z0-9][\w.-]*==\S+( ; [^@/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", re.IGNORECASE)
    odd = [line for line in text(f"requirements/{name}.txt").splitlines() if not form.fullmatch(line)]
    assert not odd, "an option, an address or something else than a pinned, hashed package"


@pytest.mark.parametrize(
    ("name", "extras"), [("runtime", ["build"]), ("demo", ["demo", "build"]), ("test", ["demo", "test", "build"])]
)
def test_locks_satisfy_what_pyproject_asks_for(name: str, extras: list[str]) -> None:
    pins = locked(name)
    for requirement in [*declared(), *(one for extra in extras for one in declared(extra))]:
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {name}.txt: make lock"
        assert requirement.specifier.contains(version), f"{requirement} but {name}.txt has {version}: make lock"


def test_the_locks_agree_with_each_other() -> None:
    everything = locked("test").items()
    assert locked("runtime").items() <= locked("demo").items() <= everything


def test_every_dependency_is_explained_and_nothing_else_is() -> None:
    wanted = {
        canonicalize_name(one.name) for extra in (None, "demo", "test", "build", "presidio") for one in declared(extra)
    }
    rows = [line for line in text("docs/dependencies.md").splitlines() if line.startswith("| `")]
    explained = {canonicalize_name(row.split("`")[1]) for row in rows}
    assert explained == wanted
    assert all(len([cell for cell in row.split("|") if cell.strip()]) == 4 for row in rows)


# --------------------------------------------------------------------------------------------------- files beside the code


def test_the_slack_manifest_is_valid() -> None:
    manifest = yaml.safe_load(text("manifest.yml"))
    jsonschema.validate(manifest, json.loads(text("tests/slack_manifest_schema.json")))


def test_the_slack_app_asks_for_the_least() -> None:
    manifest = yaml.safe_load(text("manifest.yml"))
    wanted = {"app_mentions:read", "chat:write", "commands", "files:write", "im:write", "users:read"}
    wanted |= {"channels:read", "groups:read"}  # who is in a channel, not what is said there
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == wanted
    assert "user" not in manifest["oauth_config"]["scopes"]
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == {"app_home_opened", "app_mention"}


def test_the_slack_app_needs_no_address_and_takes_statements_as_typed() -> None:
    manifest = yaml.safe_load(text("manifest.yml"))
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert "url" not in re.findall(r"(\w*url)\w*:", text("manifest.yml"))
    assert [(one["command"], one["should_escape"]) for one in manifest["features"]["slash_commands"]] == [
        ("/hoop", False)
    ]


def test_the_procfile_has_the_process_types() -> None:
    types = dict(line.split(": ", 1) for line in text("Procfile").splitlines())
    assert list(types) == ["web", "proxy", "worker", "release"]
    assert all(command.startswith("python -m app ") for command in types.values())


def test_every_make_target_is_explained() -> None:
    makefile = text("Makefile")
    phony = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    targets = dict(re.findall(r"^([a-z][a-z-]*):(?!=)(.*)$", makefile, re.MULTILINE))
    assert set(targets) == phony
    assert {"demo", "try", "test", "check", "bench", "lock", "clean", "help"} <= phony
    unexplained = [name for name, rest in targets.items() if " ## " not in rest and not name.startswith("venv-")]
    assert not unexplained


def test_the_changelog_knows_this_version() -> None:
    version = PYPROJECT["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", text("CHANGELOG.md"), re.MULTILINE)


def test_ci_runs_what_a_developer_runs() -> None:
    script = text(".ci/run")
    assert script.rstrip().endswith("exec make test")
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)


@pytest.mark.parametrize("present", [True, False], ids=["peers present", "peers missing"])
def test_ci_installs_only_what_is_missing(tmp_path: Path, present: bool) -> None:
    for name in ["apt-get", "sudo", "make", "python3"]:
        fake = tmp_path / name
        fake.write_text(f'#!/bin/sh\necho "{name} $* CI=$CI"\n' + ('exec "$@"\n' if name == "sudo" else ""))
        fake.chmod(0o755)
    for name in ["bash", "dirname", "env", "sh"]:
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    if present:
        for name in ["chromium", "chromedriver", "ssh", "sshd", "rsync", "ansible-playbook", "cc", "pg_ctlcluster"]:
            (tmp_path / name).symlink_to(tmp_path / "make")
    run = subprocess.run(
        [str(ROOT / ".ci/run")], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    steps = [line for line in run.stdout.splitlines() if line.startswith(("apt-get", "make"))]
    packages = "chromium chromium-driver openssh-client openssh-server rsync ansible-core gcc postgresql"
    installs = ["apt-get -qq update", f"apt-get -qq -y --no-install-recommends install {packages}"]
    assert steps == [f"{step} CI=true" for step in [*([] if present else installs), "make test"]]


def test_scripts_are_executable() -> None:
    scripts = [path for path in tracked() if text_starts_with_shebang(path)]
    assert Path(".ci/run") in scripts
    assert all(os.access(ROOT / path, os.X_OK) for path in scripts), scripts


def text_starts_with_shebang(path: Path) -> bool:
    with (ROOT / path).open("rb") as file:
        return file.read(2) == b"#!"


def test_every_file_ends_its_last_line_and_has_unix_line_ends() -> None:
    wrong = []
    for path in tracked("*.py", "*.md", "*.toml", "*.yml", "*.txt", "Makefile", "Procfile"):
        content = (ROOT / path).read_bytes()
        if b"\r" in content or (content and not content.endswith(b"\n")):
            wrong.append(str(path))
    assert not wrong


# ------------------------------------------------------------------------------------------------- choosing a Python


def find_python(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(ROOT / "tools/find-python"), *arguments]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def fake_python(folder: Path, name: str, *, usable: bool) -> None:
    script = folder / name
    script.write_text(f"#!/bin/sh\nexit {0 if usable else 1}\n")
    script.chmod(0o755)


def test_the_newest_usable_python_is_taken_and_a_broken_one_skipped(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3.13", usable=False)
    fake_python(tmp_path, "python3.12", usable=True)
    fake_python(tmp_path, "python3", usable=True)
    assert find_python(tmp_path).stdout == "python3.12\n"


def test_a_python_that_was_asked_for_is_the_only_one_tried(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3.12", usable=True)
    fake_python(tmp_path, "mine", usable=False)
    refused = find_python(tmp_path, "mine")
    assert refused.returncode == 1
    assert "tried: mine" in refused.stderr


def test_without_a_usable_python_the_error_says_what_to_install(tmp_path: Path) -> None:
    refused = find_python(tmp_path)
    assert refused.returncode == 1
    assert not refused.stdout
    assert "3.11 or newer" in refused.stderr
    assert "apt install python3 python3-venv" in refused.stderr
