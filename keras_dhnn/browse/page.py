"""Hold all that a page shows of one archive, and all that is kept between requests."""

import hashlib
import os
import re
from pathlib import Path

import pyarrow.compute as pc

from keras_dhnn.archive import Archive
from keras_dhnn.browse.catalogue import Catalogue
from keras_dhnn.browse.encoders import Encoders, Opener
from keras_dhnn.browse.guard import new_token
from keras_dhnn.browse.layout import Layout
from keras_dhnn.browse.pictures import Pictures, Reader
from keras_dhnn.browse.rankings import Rankings
from keras_dhnn.browse.refusal import Refusal
from keras_dhnn.browse.searches import Searches
from keras_dhnn.browse.teaching import Teacher
from keras_dhnn.browse.uploads import Uploads


class Page:
    """Hold one archive in memory, and what a page of it needs.

    Args:
        archive: `Archive`.
        opener: function of a source that gives its encoder, see `Encoders`.
        name: by which the page calls it.
        state: folder in which searches and uploads are kept; None: `state_folder`.
        bands: numbers, from 1, of the bands that are shown as red, green and blue; None: the first three.
        reader: gives the pictures of items that have no file of their own, see `Pictures`.
        synthetic: whether the images are made up.

    Attributes:
        archive, name, synthetic: as given.
        token: what requests that change something must have.
        catalogues: `{source: Catalogue}`.
        encoders: `Encoders`.
        uploads: `Uploads`.
        pictures: `Pictures`.
        rankings: `Rankings`.
        searches: `Searches`.
        teacher: `Teacher`.
        layouts: `{source: Layout}`.
        cross: whether items of several sources are of the same ids.
    """

    def __init__(
        self,
        archive: Archive,
        opener: Opener,
        *,
        name: str | None = None,
        state: Path | None = None,
        bands: tuple[int, ...] | None = None,
        reader: Reader | None = None,
        synthetic: bool = False,
    ):
        self.archive, self.name, self.synthetic = archive, name or Path(archive.root).resolve().name, synthetic
        self.token, state = new_token(), state or state_folder(archive)
        archive.load()
        sources = list(archive.info.sources) or ["image"]
        self.catalogues = {source: Catalogue(archive, source) for source in sources}
        self.encoders = Encoders(opener)
        self.rankings, self.searches = Rankings(archive), Searches(state / "searches")
        self.uploads = Uploads(state / "uploads", self.encoders, bands, self.searches.uploads)
        self.pictures = Pictures(self.catalogues, bands, reader)
        self.teacher = Teacher(self.catalogues)
        self.layouts = {source: Layout(catalogue) for source, catalogue in self.catalogues.items()}
        self.cross = _share_ids(self.catalogues)

    def warm_up(self) -> None:
        """Begin what takes seconds in the background, before anybody asks for it."""
        for source in self.catalogues:
            self.encoders.warm_up(source)
            self.layouts[source].warm_up()

    def source(self, name: str | None) -> str:
        """Return the source that a request names, or the first.

        Raises:
            Refusal: 400 if there is none of that name.
        """
        if name is not None and name not in self.catalogues:
            known = ", ".join(self.catalogues)
            raise Refusal(400, "setting", f"This archive holds images of {known}. Received: source={name!r}")
        return name or next(iter(self.catalogues))


def state_folder(archive: Archive) -> Path:
    """Return the folder, of the user's, in which searches of an archive are kept."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    root = archive.root.resolve()
    digest = hashlib.blake2b(f"{root}\n{archive.identity.model}".encode(), digest_size=6).hexdigest()
    return Path(home) / "keras-dhnn" / "browse" / f"{re.sub(r'[^A-Za-z0-9_-]+', '-', root.name)[:60]}-{digest}"


def _share_ids(catalogues):
    """Return whether the items of the first two sources have ids in common."""
    first, second = (list(catalogues.values()) + [None, None])[:2]
    if second is None or not len(first) or not len(second):
        return False
    return bool(pc.any(pc.is_in(_column(first), value_set=_column(second).slice(0, 1000))).as_py())


def _column(catalogue):
    import pyarrow as pa

    return pa.array(catalogue.ids, pa.string())
