from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from bot.console.statics import FOLDER, FOR_GOOD, Statics
from tests.bot.console.conftest import Open

VENDOR = FOLDER / "vendor"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("base.css", "text/css"),
        ("console.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/inter/inter-latin-wght-normal.woff2", "font/woff2"),
    ],
)
async def test_files_are_served_for_good_under_their_version(opened: Open, name: str, kind: str) -> None:
    browser = opened(None)
    response = await browser.get(f"{Statics().address}/{name}")
    assert response.status == 200
    assert response.content_type == kind
    assert response.headers["Cache-Control"] == FOR_GOOD
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert await response.read() == (FOLDER / name).read_bytes()
    assert (await browser.get(f"/static/old/{name}")).headers["Cache-Control"] == "no-cache"


async def test_text_is_sent_small_to_whoever_takes_it(opened: Open) -> None:
    browser = opened(None)
    address = f"{Statics().address}/base.css"
    small = await browser.get(address, {"Accept-Encoding": "gzip, br"})
    whole = await browser.get(address, {"Accept-Encoding": "identity"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in whole.headers
    assert int(small.headers["Content-Length"]) < int(whole.headers["Content-Length"]) / 2
    assert await small.read() == await whole.read()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nothing.css",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "..%5capp.py",
        "%2fetc%2fpasswd",
        "base.css%00",
        "vendor",
        "base.css/",
    ],
)
async def test_nothing_else_is_served(opened: Open, name: str) -> None:
    assert (await opened(None).get(f"/static/x/{name}")).status in {400, 404}


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a{}")
    first = Statics(tmp_path).version
    (tmp_path / "a.css").write_text("b{}")
    (tmp_path / "ignored.py").write_text("secret = 1")
    assert Statics(tmp_path).version != first


def test_vendored_files_are_what_their_list_says() -> None:
    lines = [line.split("  ") for line in (VENDOR / "SHA256SUMS.txt").read_text().splitlines()]
    listed = {name: digest for digest, name in lines}
    present = {path.relative_to(VENDOR).as_posix(): path for path in VENDOR.glob("*/*")}
    assert set(listed) == set(present)
    for name, path in present.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == listed[name], name


def test_vendored_packages_bring_their_licences() -> None:
    about = (VENDOR / "README.txt").read_text()
    for folder in VENDOR.iterdir():
        if folder.is_dir():
            assert (folder / "LICENSE.txt").stat().st_size > 500
            assert folder.name in about


def test_our_own_files_load_nothing_from_elsewhere() -> None:
    own = [path for path in FOLDER.glob("*") if path.suffix in {".css", ".js"}]
    assert len(own) > 8
    for path in own:
        content = path.read_text()
        assert not re.search(r"https?://|(?<!:)//[a-z]+\.", content), path.name
        for reference in re.findall(r'url\("([^"]+)"\)|from "\./([^"]+)"', content):
            assert (FOLDER / (reference[0] or reference[1])).is_file(), reference


def test_our_own_script_draws_no_markup_from_data() -> None:
    """innerHTML takes only what the server drew: fragments under the names it sends, or constants."""
    allowed = re.compile(r"innerHTML = (?:html(?:\.trim\(\))?|data\.html|\"\"|'<div class=\"form\">)")
    for path in FOLDER.glob("*.js"):
        content = path.read_text()
        for use in re.finditer(r"innerHTML\s*\+?=[^=].{0,60}", content):
            assert allowed.match(use[0]), f"{path.name}: {use[0]}"
        assert not re.search(r"\beval\(|new Function|document\.write|insertAdjacentHTML|outerHTML", content), path.name


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("text", "paper"), ("text", "surface"), ("text", "raised"), ("text", "hover"),
        ("muted", "paper"), ("muted", "surface"), ("muted", "raised"), ("muted", "sunken"),
        ("good", "good-soft"), ("wait", "wait-soft"), ("bad", "bad-soft"), ("info", "info-soft"), ("calm", "calm-soft"),
        ("bad", "raised"), ("link", "surface"), ("on-ink", "ink"), ("on-brand", "brand"),
        ("code-text", "code"), ("code-word", "code"), ("code-text-literal", "code"), ("code-number", "code"),
        ("code-comment", "code"),
    ],
)  # fmt: skip
def test_text_has_the_contrast_of_wcag_aa(text: str, ground: str, scheme: int) -> None:
    pairs = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}), #\w{6}\)", (FOLDER / "base.css").read_text()))
    dark = dict(re.findall(r"--([\w-]+): light-dark\(#\w{6}, (#\w{6})\)", (FOLDER / "base.css").read_text()))
    colours = (pairs, dark)[scheme]
    assert _contrast(colours[text], colours[ground]) >= 4.5
