"""Notice pairs of images whose files place them on different ground."""

from collections.abc import Sequence

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.formats.tiff_page import MAGIC, Page, read_pages
from keras_dhnn.pipelines.formats.trees import FolderTree, ZipTree
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

# As many as are looked at to tell what the images are.
_MOST, _SHOWN = 512, 3


def describe_apart(trees: Sequence[FolderTree | ZipTree], pairs: Sequence[Sequence[str]]) -> list[str]:
    """Tell which pairs share no ground by the georeference of their GeoTIFFs; up to 512 are looked at.

    Args:
        trees: where the files of the two sources are.
        pairs: of each pair the names of its two files.

    Returns:
        A sentence for the user, or none where no pair is apart. What has no georeference, or another reference system
        than its partner, is not compared.
    """
    seen = pairs[:: -(-len(pairs) // _MOST)]
    apart = [names[0] for names in seen if _are_apart([_page(*one) for one in zip(trees, names, strict=True)])]
    if not apart:
        return []
    shown = ", ".join(apart[:_SHOWN]) + (f" and {len(apart) - _SHOWN:,} more" if len(apart) > _SHOWN else "")
    return [
        f"Of {len(seen):,} pairs that were looked at, {len(apart):,} show different ground by their files' georeference"
        f": {shown}. Partners share a name: check that equal names are equal places."
    ]


def _page(tree: FolderTree | ZipTree, name: str) -> Page | None:
    try:
        content = tree.read(name)
        return read_pages(content)[0] if content[:4] in MAGIC else None
    except (DataError, UnreadableImage):
        # Whoever reads the image says so.
        return None


def _are_apart(pages: Sequence[Page | None]) -> bool:
    one, other = (None if page is None else page.ground for page in pages)
    if one is None or other is None or len({page.reference for page in pages if page is not None}) > 1:
        return False
    return any(max(one[axis], other[axis]) >= min(one[axis + 2], other[axis + 2]) for axis in (0, 1))
