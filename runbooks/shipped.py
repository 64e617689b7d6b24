"""The library that ships, as a repository like any other: its files become one commit whose id depends only on them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from runbooks.mirror import Mirror
from runbooks.parse import is_runbook
from runbooks.transports import Origin

NAME = "library"
_EPOCH = 1_767_225_600  # 2026-01-01, the same for everybody so that the commit is


class Shipped(Mirror):
    """A mirror that is filled from the installed package instead of fetched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Origin(NAME, ""), folder)

    def refresh(self) -> str:
        """Write the files of this release as a commit, if it is not there; its id."""
        tree = Tree()
        blobs: list[Blob] = []
        for entry in sorted(files("runbooks").joinpath("library").iterdir(), key=lambda item: item.name):
            if is_runbook(entry.name):
                blob = Blob.from_string(entry.read_bytes())
                blobs.append(blob)
                tree.add(entry.name.encode(), 0o100644, blob.id)
        commit = Commit()
        commit.tree = tree.id
        commit.author = commit.committer = b"hoop <hoop@localhost>"
        commit.author_time = commit.commit_time = _EPOCH
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        commit.message = b"The library of this release\n"
        with self._repo() as repo:
            self._write(repo, [*blobs, tree, commit], commit.id)
        return commit.id.decode()

    @staticmethod
    def _write(repo: Repo, objects: list[Blob | Tree | Commit], commit: ObjectID) -> None:
        if commit not in repo.object_store:
            for one in objects:
                repo.object_store.add_object(one)
        repo.refs[Ref(b"refs/kept/" + commit)] = commit
