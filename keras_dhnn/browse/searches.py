"""Keep named searches on disk: which items somebody has marked right or wrong, in steps that can be undone.

A search is one JSON file, written whole or not at all, in a folder of the user's: archives may be read-only.
"""

import contextlib
import datetime
import hashlib
import json
import re
import threading
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from keras_dhnn.browse.refusal import Refusal, not_found
from keras_dhnn.errors import DataError
from keras_dhnn.files import is_text, read_json, write_json
from keras_dhnn.files.locks import lock

RIGHT, WRONG = "right", "wrong"
LONGEST_NAME = 80
_MOST_STEPS, _MOST_MARKS, _LONGEST_QUERY = 10_000, 1000, 8000
_NAME = re.compile(r"\w[\w .-]*")
_KINDS = {
    "name": str,
    "source": str,
    "query": str,
    "steps": [{str: (str, type(None))}],
    "position": int,
    "changed": str,
}
_REMEDY = "Remove this file; the search is lost."


@dataclass(frozen=True)
class Search:
    """Describe a search.

    Attributes:
        name: by which it is called.
        source: the image source of its items.
        query: parameters of the page from which it began, or "".
        steps: what was marked, each `{id: "right", "wrong" or None}`.
        position: how many of the steps count; the others have been undone.
        changed: when, ISO 8601.
    """

    name: str
    source: str
    query: str = ""
    steps: list[dict[str, str | None]] = field(default_factory=list)
    position: int = 0
    changed: str = ""

    @property
    def marks(self) -> dict[str, str]:
        """Return `{id: "right" or "wrong"}` as it stands now."""
        found: dict[str, str | None] = {}
        for step in self.steps[: self.position]:
            found |= step
        return {key: mark for key, mark in found.items() if mark is not None}

    def to_json(self) -> dict[str, Any]:
        """Return what a page is told of it."""
        marks = list(self.marks.values())
        return {
            "name": self.name,
            "source": self.source,
            "query": self.query,
            "right": marks.count(RIGHT),
            "wrong": marks.count(WRONG),
            "undo": self.position,
            "redo": len(self.steps) - self.position,
            "changed": self.changed,
        }


class Searches:
    """Keep searches in a folder; several threads and processes may use it.

    Args:
        folder: Path, which need not exist.
    """

    def __init__(self, folder: Path):
        self._folder, self._guard = folder, threading.RLock()

    def all(self) -> list[Search]:
        """Return all searches, those changed last first; damaged files are left out."""
        found = []
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(DataError, OSError):
                found.append(_read(path))
        return sorted(found, key=lambda search: search.changed, reverse=True)

    def uploads(self) -> set[str]:
        """Return the keys of the pictures from which searches began."""
        return {key for search in self.all() for key in parse_qs(search.query).get("upload", ())}

    def get(self, name: str) -> Search:
        """Return a search.

        Raises:
            Refusal: 404 if there is none of that name.
            DataError: if its file is damaged.
        """
        path = self._path(name)
        if not path.is_file():
            raise not_found(f"There is no search {name!r}.")
        return _read(path)

    def create(self, name: str, source: str, query: str = "") -> Search:
        """Begin a search.

        Raises:
            Refusal: 409 if there is one of that name, 400 if it is no name.
        """
        with self._locked():
            self._check_free(name)
            if len(query) > _LONGEST_QUERY:
                raise Refusal(400, "setting", f"Expected 'query' of at most {_LONGEST_QUERY} signs.")
            return self._write(Search(name, source, query))

    def rename(self, name: str, new: str) -> Search:
        """Give a search another name; `Refusal` as of `get` and `create`."""
        with self._locked():
            search = self.get(name)
            if new == name:
                return search
            self._check_free(new)
            renamed = self._write(replace(search, name=new))
            self._path(name).unlink(missing_ok=True)
            return renamed

    def delete(self, name: str) -> None:
        """Remove a search; `Refusal` as of `get`."""
        with self._locked():
            self.get(name)
            self._path(name).unlink(missing_ok=True)

    def mark(self, name: str, marks: dict[str, str | None]) -> Search:
        """Add a step; what had been undone is forgotten.

        Args:
            name: of the search.
            marks: `{id: "right", "wrong", or None for neither}`.

        Raises:
            Refusal: 400 if a mark is another, or there are too many; and as of `get`.
        """
        if not marks or len(marks) > _MOST_MARKS or not set(marks.values()) <= {RIGHT, WRONG, None}:
            raise Refusal(400, "setting", f"Expected 1 to {_MOST_MARKS} marks, each 'right', 'wrong' or null.")
        with self._locked():
            search = self.get(name)
            steps = [*search.steps[: search.position], marks]
            if len(steps) > _MOST_STEPS:
                raise Refusal(400, "setting", f"A search has {_MOST_STEPS} steps at most. Begin another one.")
            return self._write(replace(search, steps=steps, position=len(steps)))

    def move(self, name: str, by: int) -> Search:
        """Undo (-1) or redo (+1) a step; at either end nothing happens. `Refusal` as of `get`."""
        with self._locked():
            search = self.get(name)
            position = min(max(search.position + by, 0), len(search.steps))
            return search if position == search.position else self._write(replace(search, position=position))

    def _check_free(self, name):
        if len(name) > LONGEST_NAME or not _NAME.fullmatch(name) or name != name.strip():
            raise Refusal(
                400, "setting", f"Expected a name of 1 to {LONGEST_NAME} letters, digits, blanks and - _ . signs."
            )
        if self._path(name).exists():
            raise Refusal(409, "conflict", f"There is a search {name!r} already. Give another name.")

    def _path(self, name):
        # Names may have letters of any script, of which file systems take fewer.
        return self._folder / f"{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}.json"

    def _write(self, search):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        search = replace(search, changed=now)
        write_json(self._path(search.name), asdict(search))
        return search

    @contextlib.contextmanager
    def _locked(self):
        """Hold the folder against other threads and processes."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._guard, open(self._folder / ".lock", "ab") as file:
                lock(file.fileno(), wait=True)
                yield
        except OSError as error:
            raise DataError(
                f"Searches cannot be kept in {self._folder}: {error.strerror}. Make it writable, or set XDG_STATE_HOME "
                "to another folder."
            ) from error


def _read(path):
    value = read_json(path, _KINDS, remedy=_REMEDY)
    if not is_text(json.dumps(value, ensure_ascii=False)):
        raise DataError(f"{path} is damaged: it holds text that UTF-8 does not. {_REMEDY}")
    if not 0 <= value["position"] <= len(value["steps"]):
        raise DataError(f"{path} is damaged: {value['position']} of its {len(value['steps'])} steps count. {_REMEDY}")
    return Search(**{name: value[name] for name in _KINDS})
