"""Encode others' float vectors into an archive, by bits that are learned on them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_dhnn.archive.encoding import Encoded
from keras_dhnn.archive.labels import membership
from keras_dhnn.archive.learned import HIDDEN, learn_bits, outputs_of
from keras_dhnn.archive.manifest import IDENTITY, Identity, load_arrays
from keras_dhnn.archive.places import exists, place
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.schema import make_rows
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles.tile import content_of
from keras_dhnn.archive.vectors import open_vectors
from keras_dhnn.codes import pack, unpack
from keras_dhnn.directions import unit_rows
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.progress import Bar, no_bar

# Vectors by which bits are learned, and the sample on which it is measured what they keep.
LEARN_FROM = 100_000
# Labels of fewer vectors are left alone unless asked for.
_LABELLED = 100
_MEASURED, _QUERIES, _NEAREST = 50_000, 500, 10


@dataclass
class EncodedVectors:
    """Describe what came of it.

    Attributes:
        archive: the `Archive`.
        counted: `Encoded`.
        recall: share of the ten nearest by the vectors (cosine) that are among the ten nearest by the codes in
            asymmetric order, on a sample; None if there are too few.
        learned_by: what the archive's bits were learned by: "labels" or "vectors".
        skipped: empty, as of images.
    """

    archive: Archive
    counted: Encoded
    recall: float | None
    learned_by: str
    skipped: list = field(default_factory=list)


def encode_vectors(
    path: Path | str,
    root: Path | str,
    *,
    column: str | None = None,
    bits: int = 64,
    learn_by: str | None = None,
    source: str = "image",
    bar: Bar = no_bar,
) -> EncodedVectors:
    """Encode a file of vectors into an archive, which is made if it is not there.

    Vectors are brought to length 1, so that the nearest are those of the largest cosine. Where they have labels, bits
    are learned by these: a head as of our networks, so that the nearest are of a query's label.

    Args:
        path: see `open_vectors`.
        root: folder of the archive.
        column: see `open_vectors`.
        bits: length of the codes of a new archive.
        learn_by: "labels", "vectors" (see `learn_rotation`), or None: labels where 100 vectors or more have one, of two
            labels at least.
        source: the image source that they are called.
        bar: see `progress`.

    Returns:
        `EncodedVectors`.

    Raises:
        DataError: if the file cannot be read, or the archive is of other vectors.
    """
    file, root = open_vectors(path, column), place(root)
    archive, learned = _open(file, root, bits, learn_by)
    counted, done = Encoded(), 0
    with bar("Encode", file.count, "vector") as update:
        for batch in file.batches():
            rows = make_rows(
                batch.ids,
                pack(outputs_of(unit_rows(batch.vectors), learned)),
                content=[content_of(vector.tobytes()) for vector in batch.vectors],
                **batch.columns,
            )
            counted.add(archive.append(rows, source))
            done += len(batch.ids)
            update(done)
    by = "labels" if HIDDEN in learned else "vectors"
    return EncodedVectors(archive, counted, measure_recall(file.sample(_MEASURED), learned), by)


def vector_queries(archive: Archive, path: Path | str, column: str | None = None) -> tuple[list[str], Queries]:
    """Return the ids of a file of vectors, a list, and their `Queries` for an archive of such vectors.

    Raises:
        DataError: if the archive is of images, its bits are not those that it was made with, or the vectors are of
            another length.
    """
    file = open_vectors(path, column)
    _check_vectors(archive.root, archive.identity.encoder, file)
    batches, learned = list(file.batches()), load_arrays(archive.root, archive.identity)
    outputs = [outputs_of(unit_rows(batch.vectors), learned) for batch in batches]
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
    unit = unit_rows(vectors)
    sample = vectors[:: max(-(-len(vectors) // _MEASURED), 1)]
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
    unit = unit_rows(vectors)
    outputs = outputs_of(unit, learned)
    signs = unpack(pack(outputs[queries:])).astype(np.float32)
    by_vectors = _nearest(unit[:queries] @ unit[queries:].T, nearest)
    by_codes = _nearest(outputs[:queries].astype(np.float32) @ signs.T, nearest)
    return float(np.mean([len(np.intersect1d(*pair)) / nearest for pair in zip(by_vectors, by_codes, strict=True)]))


def _learn(file, bits, learn_by):
    if learn_by not in (None, "labels", "vectors"):
        raise SettingError(f"Expected --learn-by labels or vectors. Received: {learn_by!r}")
    vectors, labels = file.labelled_sample(LEARN_FROM)
    labelled = [number for number, label in enumerate(labels) if label]
    members = membership([labels[number] for number in labelled])
    enough = len(labelled) >= _LABELLED and members.shape[1] >= 2
    if learn_by == "labels" and not enough:
        raise DataError(
            f"Expected labels of {_LABELLED} vectors, two different ones at least, in the column label of {file.path}. "
            f"Received {len(labelled)} with {members.shape[1]}. Leave --learn-by out, or say --learn-by vectors."
        )
    if learn_by == "vectors" or not enough:
        return learn_rotation(vectors, bits)
    from keras_dhnn.training.vector_head import train_vector_head

    return train_vector_head(unit_rows(vectors[labelled]), members, bits)


def _open(file, root, bits, learn_by):
    if not exists(root / IDENTITY):
        learned = _learn(file, bits, learn_by)
        model = hashlib.sha256(b"".join(array.tobytes() for array in learned.values())).hexdigest()
        kind = {"kind": "vectors", "size": file.size, "file": str(file.path)}
        identity = Identity(model, bits, f"vectors of {file.size} values, length 1", 0, kind)
        # If another process was first, its bits are taken.
        Archive.make(root, identity, learned)
    archive = Archive.open(root)
    _check_vectors(root, archive.identity.encoder, file)
    return archive, load_arrays(root, archive.identity)


def _check_vectors(root, how, file):
    if how.get("kind") != "vectors" or how["size"] != file.size:
        raise DataError(
            f"{root} holds codes of {how.get('kind')} {how.get('size', '')}; these are vectors of {file.size} values. "
            "Name another archive."
        )


def _nearest(scores, count):
    return np.argpartition(-scores, count, axis=1)[:, :count]
