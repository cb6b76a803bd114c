"""Read BigEarthNet-S2 version 2 (reBEN): Sentinel-2 patches of 1.2 km over Europe, with 19 classes, several a patch.

A patch is a folder of twelve GeoTIFF files of uint16 reflectance, one a band: of 120 x 120 pixels at 10 m (B02, B03,
B04, B08), 60 x 60 at 20 m (B05, B06, B07, B8A, B11, B12) or 20 x 20 at 60 m (B01, B09). They are corrected for the
atmosphere, hence without B10. `metadata.parquet` names labels and split of the 480,038 patches without snow, clouds and
their shadows; the others have a table of their own and are left out.

Here every band has 120 x 120 pixels: one of 20 m becomes four of 10 m, one of 60 m 36, so that what is stored is what
was measured.

Reference: K. N. Clasen, L. Hackel, T. Burgert, G. Sumbul, B. Demir, V. Markl, "reBEN: Refined BigEarthNet Dataset for
Remote Sensing Image Analysis", IEEE International Geoscience and Remote Sensing Symposium (IGARSS), 2025.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.files import read_bytes, refuse_address
from keras_dhnn.pipelines.datasets.dataset import Dataset, Twin
from keras_dhnn.pipelines.example import Annotations, Archive, Example, fingerprint_of
from keras_dhnn.pipelines.formats.image_file import decode_image
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage
from keras_dhnn.pipelines.label_file import parquet_rows
from keras_dhnn.pipelines.labels import UNLABELLED
from keras_dhnn.pipelines.read_ahead import read_ahead
from keras_dhnn.pipelines.scaling import PERCENTILES, describe_scaling, measure_scaling

SIDE = 120
# Pixels of 10 m that a pixel of each band is wide.
BANDS = {
    **{"B01": 6, "B02": 1, "B03": 1, "B04": 1, "B05": 2, "B06": 2, "B07": 2, "B08": 1, "B8A": 2},
    **{"B09": 6, "B11": 2, "B12": 2},
}
RGB_BANDS = [4, 3, 2]
CLASSES = (
    "Urban fabric",
    "Industrial or commercial units",
    "Arable land",
    "Permanent crops",
    "Pastures",
    "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Agro-forestry areas",
    "Broad-leaved forest",
    "Coniferous forest",
    "Mixed forest",
    "Natural grassland and sparsely vegetated areas",
    "Moors, heathland and sclerophyllous vegetation",
    "Transitional woodland, shrub",
    "Beaches, dunes, sands",
    "Inland wetlands",
    "Coastal wetlands",
    "Inland waters",
    "Marine waters",
)
IMAGES, METADATA = "BigEarthNet-S2", "metadata.parquet"
LAYOUT = f"{IMAGES}/<tile>/<patch>/<patch>_B02.tif, and {METADATA} beside {IMAGES}"
_COLUMNS = ("patch_id", "labels", "split")
_PATCH = re.compile(r"([\w.-]+)_\d+_\d+")
_MOST_BYTES = 1 << 20  # of a file of one band; real ones take some 30 kB
_SAMPLE = 512


class _Patch(NamedTuple):
    id: str
    labels: tuple[str, ...]
    part: str
    folder: Path


def open_archive(
    source: Path | str, *, skip_damaged: bool = False, percentiles: tuple[float, float] = PERCENTILES
) -> Archive:
    """List and check an archive; look at up to 512 of its patches, drawn at random, for the range of each band.

    Args:
        source: the folder that holds `BigEarthNet-S2` and `metadata.parquet`. A part of the patches will do.
        skip_damaged: leave out patches that are not there or cannot be read, instead of stopping at the first.
        percentiles: (lower, upper) of each band that become 0 and 255 when a network sees it.

    Returns:
        Archive, for `prepare`: Examples with one source, `image`, (120, 120, 12) uint16 in the order of `BANDS`; their
        labels and the published split are its annotations.

    Raises:
        DataError: if the archive is not laid out so, or patches are missing or damaged.
        MissingPackage: without pyarrow, which reads the metadata.
    """
    root = _root(source)
    listed = _read_metadata(root / METADATA, root / IMAGES)
    sizes = [_size(patch) for patch in listed]
    patches = [patch for patch, size in zip(listed, sizes, strict=True) if size is not None]
    lacking = [patch.id for patch, size in zip(listed, sizes, strict=True) if size is None]
    if not patches or (lacking and not skip_damaged):
        raise DataError(_describe_lacking(root, lacking, len(listed)))
    scaling = _measure(patches, percentiles)

    def read(skipped: list) -> Iterator[Example]:
        skipped += [(name, f"is in {METADATA} and not in {IMAGES}") for name in lacking]
        return _examples(patches, skipped if skip_damaged else None)

    facts = [(patch.id, patch.labels, patch.part, size) for patch, size in zip(listed, sizes, strict=True)]
    notes = [f"Images are stored as {SIDE} x {SIDE} pixels of {len(BANDS)} x uint16: {', '.join(BANDS)}."]
    notes += ["Pixels become 0 to 255 as follows; change it by --percentiles:"]
    notes += [f"  {line}" for line in describe_scaling(scaling)]
    origin = {
        "kind": "bigearthnet",
        "path": str(root),
        "fingerprint": fingerprint_of((facts, percentiles)),
        "files": fingerprint_of(facts),
        "scaling": {"image": scaling},
        "rgb_bands": RGB_BANDS,
        "band_names": list(BANDS),
        "notes": notes,
    }
    annotations = Annotations(
        CLASSES,
        {patch.id: patch.labels for patch in patches},
        {patch.id: patch.part for patch in patches},
    )
    return Archive((UNLABELLED,), len(patches), origin, read, annotations=annotations)


def _root(source: Path | str) -> Path:
    """Return the folder that holds images and metadata: the source, or the one around it if that is the images."""
    path = Path(source).expanduser()
    for root in (path, path.parent) if path.name == IMAGES else (path,):
        if (root / METADATA).is_file() and (root / IMAGES).is_dir():
            return root
    refuse_address(source)
    raise DataError(f"Expected a folder with {LAYOUT}, unpacked. There is no such thing at {path}.")


def _read_metadata(path: Path, images: Path) -> list[_Patch]:
    """Return the patches that a table lists, sorted by name."""
    _, rows = parquet_rows(path, list(_COLUMNS))
    patches = [_patch(path, number, row, images) for number, row in rows]
    if not patches:
        raise DataError(f"{path} lists no patch.")
    patches.sort()
    for one, other in itertools.pairwise(patches):
        if one.id == other.id:
            raise DataError(f"{path} lists {one.id} twice. Expected each patch once.")
    return patches


def _patch(path: Path, number: int, row: list, images: Path) -> _Patch:
    name, labels, part = row
    # A name is a part of a path, and may come from a stranger.
    found = _PATCH.fullmatch(name) if isinstance(name, str) else None
    if not found or ".." in name:
        raise DataError(f"{path}, row {number}: {name!r} is no patch. Expected a name such as S2A_MSIL2A_..._26_57.")
    unknown = [label for label in labels or () if label not in CLASSES]
    if unknown or not labels:
        raise DataError(
            f"{path}, row {number}: expected one or more of the 19 classes of version 2 as labels. Found: "
            f"{', '.join(map(repr, unknown)) or 'none'}."
        )
    if part not in ("train", "validation", "test"):
        raise DataError(f"{path}, row {number}: expected the split train, validation or test. Found: {part!r}.")
    return _Patch(name, tuple(sorted(set(labels))), part, images / found[1] / name)


def _size(patch: _Patch) -> int | None:
    """Return the bytes of a patch's file of blue, by which the source is told from another; None if it is not there."""
    try:
        return (patch.folder / f"{patch.id}_B02.tif").stat().st_size
    except OSError:
        return None


def _describe_lacking(root: Path, lacking: list[str], count: int, shown: int = 5) -> str:
    lines = [f"{root / METADATA} lists {count:,} patches. Not in {root / IMAGES} are {len(lacking):,}:"]
    lines += [f"  {name}" for name in lacking[:shown]]
    lines += [f"  and {len(lacking) - shown:,} more"] * (len(lacking) > shown)
    return "\n".join([*lines, f"Expected {LAYOUT}. Leave them out with --skip-damaged, if some are there."])


def _read_bands(patch: _Patch) -> dict[str, np.ndarray]:
    """Return {band: its pixels at its own resolution, (H, W) uint16}."""
    return {band: _read_band(patch, band, SIDE // width) for band, width in BANDS.items()}


def _read_band(patch: _Patch, band: str, side: int) -> np.ndarray:
    name = f"{patch.id}_{band}.tif"
    try:
        decoded = decode_image(read_bytes(patch.folder / name, _MOST_BYTES), _MOST_BYTES)
        pixels = decoded.image(1)
    except (UnreadableImage, DataError) as error:
        raise DamagedFile(patch.id, f"its band {band}: {error}") from error
    except OSError as error:
        raise DamagedFile(patch.id, f"its band {band} cannot be read: {error.strerror}") from error
    if pixels.shape[:2] != (side, side) or pixels.dtype != np.uint16:
        height, width = pixels.shape[:2]
        reason = f"its band {band} has {width} x {height} pixels of {pixels.dtype}; expected {side} x {side} of uint16"
        raise DamagedFile(patch.id, reason)
    return pixels[..., 0]


def _image(patch: _Patch) -> np.ndarray | DamagedFile:
    """Return the image of a patch, (120, 120, 12) uint16, or the DamagedFile that says why not."""
    try:
        bands = _read_bands(patch)
    except DamagedFile as error:
        return error
    return np.stack([bands[band].repeat(width, 0).repeat(width, 1) for band, width in BANDS.items()], axis=2)


def _measure(patches: list[_Patch], percentiles: tuple[float, float]) -> dict[str, list[float]]:
    """Return the scaling by a sample of the patches; those that are damaged are complained about when all are read."""
    chosen = np.random.default_rng(0).permutation(len(patches))[:_SAMPLE]
    images = [image for _, image in read_ahead(_image, [patches[place] for place in sorted(chosen)])]
    whole = [image for image in images if not isinstance(image, DamagedFile)]
    damaged = [image for image in images if isinstance(image, DamagedFile)]
    if not whole:
        raise damaged[0]
    # Every sixth pixel each way: each pixel of 60 m once.
    sample = np.stack(whole)[:, ::6, ::6].reshape(-1, len(BANDS))
    return measure_scaling(list(sample.T.astype(np.float32)), percentiles)


def _examples(patches: list[_Patch], skipped: list | None) -> Iterator[Example]:
    """Yield the Examples; a damaged patch is appended to `skipped`, or raised if that is None."""
    for patch, image in read_ahead(_image, patches):
        if not isinstance(image, DamagedFile):
            yield Example(patch.id, 0, {"image": image})
        elif skipped is None:
            raise image
        else:
            skipped.append((patch.id, image.reason))


DATASET = Dataset(
    open_archive,
    options=("skip_damaged", "percentiles"),
    twin=Twin("keras_dhnn.pipelines.synthetic.bigearthnet_twin:write_bigearthnet", {"size": 600}),
)
