"""Encode others' float vectors into an archive, by bits that are learned on them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_dhnn.archive.encoding import Encoded
from keras_dhnn.archive.learned import MEAN, PROJECTION, learn_bits, outputs_of
from keras_dhnn.archive.manifest import IDENTITY, LEARNED, Identity, load_arrays
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.schema import make_rows
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles.tile import content_of
from keras_dhnn.archive.vectors import open_vectors
from keras_dhnn.codes import pack, unpack
from keras_dhnn.errors import DataError
from keras_dhnn.files import write_arrays
from keras_dhnn.progress import Bar, no_bar

# Vectors by which bits are learned, and the sample on which it is measured what they keep.
LEARN_FROM = 100_000
_MEASURED, _QUERIES, _NEAREST = 50_000, 500, 10


@dataclass
class EncodedVectors:
    """Describe what came of it.

    Attributes:
        archive: the `Archive`.
        counted: `Encoded`.
        recall: share of the ten nearest by the vectors (cosine) that are among the ten nearest by the codes in
            asymmetric order, on a sample; None if there are too few.
        skipped: empty, as of images.
    """

    archive: Archive
    counted: Encoded
    recall: float | None
    skipped: list = field(default_factory=list)


def encode_vectors(
    path: Path | str,
    root: Path | str,
    *,
    column: str | None = None,
    bits: int = 64,
    source: str = "image",
    bar: Bar = no_bar,
) -> EncodedVectors:
    """Encode a file of vectors into an archive, which is made if it is not there.

    Vectors are brought to length 1, so that the nearest are those of the largest cosine.

    Args:
        path: see `open_vectors`.
        root: folder of the archive.
        column: see `open_vectors`.
        bits: length of the codes of a new archive.
        source: the image source that they are called.
        bar: see `progress`.

    Returns:
        `EncodedVectors`.

    Raises:
        DataError: if the file cannot be read, or the archive is of other vectors.
    """
    file, root = open_vectors(path, column), Path(root)
    archive, learned = _open(file, root, bits)
    counted, done = Encoded(), 0
    with bar("Encode", file.count, "vector") as update:
        for batch in file.batches():
            rows = make_rows(
                batch.ids,
                pack(outputs_of(_unit(batch.vectors), learned)),
                content=[content_of(vector.tobytes()) for vector in batch.vectors],
                **batch.columns,
            )
            counted.add(archive.append(rows, source))
            done += len(batch.ids)
            update(done)
    return EncodedVectors(archive, counted, measure_recall(file.sample(_MEASURED), learned))


def vector_queries(archive: Archive, path: Path | str, column: str | None = None) -> tuple[list[str], Queries]:
    """Return the ids of a file of vectors, a list, and their `Queries` for an archive of such vectors.

    Raises:
        DataError: if the archive is of images, or the vectors are of another length.
    """
    file = open_vectors(path, column)
    _check_vectors(archive.root, archive.identity.encoder, file)
    batches, learned = list(file.batches()), load_arrays(archive.root)
    outputs = [outputs_of(_unit(batch.vectors), learned) for batch in batches]
    return [key for batch in batches for key in batch.ids], Queries.from_outputs(np.concatenate(outputs))


def learn_rotation(vectors: np.ndarray, bits: int) -> dict[str, np.ndarray]:
    """Learn bits, by a random rotation or by ITQ's, whichever keeps more of the nearest neighbours of a sample.

    ITQ brings outputs near to +1 and -1, which helps where vectors fall into classes; where their variance is spread
    evenly it costs neighbours.

    Args:
        vectors: `(n, d)` real.
        bits: l.

    Returns:
        As of `learn_bits`.

    Raises:
        DataError: see `learn_bits`.
    """
    unit = _unit(vectors)
    sample = vectors[:: max(len(vectors) // _MEASURED, 1)]
    ways = [learn_bits(unit, bits, iterations) for iterations in (50, 0)]
    # Of equal ones, such as where there are too few vectors to tell, the first.
    return max(ways, key=lambda learned: measure_recall(sample, learned) or 0)


def measure_recall(
    vectors: np.ndarray, learned: Mapping[str, np.ndarray], nearest: int = _NEAREST, queries: int = _QUERIES
) -> float | None:
    """Return how many of the nearest by cosine are among the nearest by codes in asymmetric order: a share.

    Args:
        vectors: `(n, d)` real; the first `queries` search among the others.
        learned: arrays `mean` and `projection`.
        nearest: how many.
        queries: how many search.
    """
    queries = min(queries, len(vectors) // 2)
    if len(vectors) - queries <= nearest:
        return None
    unit = _unit(vectors)
    outputs = outputs_of(unit, learned)
    signs = unpack(pack(outputs[queries:])).astype(np.float32)
    by_vectors = _nearest(unit[:queries] @ unit[queries:].T, nearest)
    by_codes = _nearest(outputs[:queries].astype(np.float32) @ signs.T, nearest)
    return float(np.mean([len(np.intersect1d(*pair)) / nearest for pair in zip(by_vectors, by_codes, strict=True)]))


def _open(file, root, bits):
    if (root / IDENTITY).exists():
        archive = Archive.open(root)
        _check_vectors(root, archive.identity.encoder, file)
        return archive, load_arrays(root)
    learned = learn_rotation(file.sample(LEARN_FROM), bits)
    model = hashlib.sha256(learned[MEAN].tobytes() + learned[PROJECTION].tobytes()).hexdigest()
    root.mkdir(parents=True, exist_ok=True)
    write_arrays(root / LEARNED, learned)
    kind = {"kind": "vectors", "size": file.size, "file": str(file.path)}
    return Archive.create(root, Identity(model, bits, f"vectors of {file.size} values, length 1", 0, kind)), learned


def _check_vectors(root, how, file):
    if how.get("kind") != "vectors" or how["size"] != file.size:
        raise DataError(
            f"{root} holds codes of {how.get('kind')} {how.get('size', '')}; these are vectors of {file.size} values. "
            "Name another archive."
        )


def _unit(vectors):
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _nearest(scores, count):
    return np.argpartition(-scores, count, axis=1)[:, :count]
