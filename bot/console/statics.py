"""Style, script and fonts, read once into memory; every address carries a digest of all of them, so it can be cached for good."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from aiohttp import web

from bot.console.guard import Refused, security_headers

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".woff2": "font/woff2",
}
_PACKED = (".woff2",)
FOR_GOOD = "public, max-age=31536000, immutable"


class Statics:
    """Serves exactly the files that were there at start: no path is ever opened because of a request."""

    def __init__(self, folder: Path = FOLDER) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in _TYPES and path.is_file())
        self._files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        self._small = {
            name: gzip.compress(content, mtime=0) for name, content in self._files.items() if not name.endswith(_PACKED)
        }
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        self.version = digest.hexdigest()[:12]

    @property
    def address(self) -> str:
        """Where the files are; relative references between them stay inside this version."""
        return f"/static/{self.version}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One file. Raises Refused 404."""
        name = request.match_info["name"]
        content = self._files.get(name)
        if content is None:
            raise Refused(404, "No such file")
        current = request.match_info["version"] == self.version
        headers = security_headers(private=False) | {"Cache-Control": FOR_GOOD if current else "no-cache"}
        suffix = name[name.rindex(".") :]
        charset = None if suffix in _PACKED else "utf-8"
        if name in self._small and "gzip" in request.headers.get("Accept-Encoding", ""):
            content = self._small[name]
            headers["Content-Encoding"] = "gzip"
        headers["Vary"] = "Accept-Encoding"
        return web.Response(body=content, content_type=_TYPES[suffix], charset=charset, headers=headers)
