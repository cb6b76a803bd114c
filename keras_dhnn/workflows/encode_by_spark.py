"""Run `encode` by Spark: the list of inputs in pieces, each encoded by whichever worker is free into the same archive.

What makes it safe is the archive's: a piece that a lost worker had half done is gone on with by another, since what is
there is not encoded again and appends are whole or nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from keras_dhnn.archive.encoding import Encoded
from keras_dhnn.archive.maintenance import compact_if_scattered
from keras_dhnn.archive.spark import spark_session
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles import Skipped
from keras_dhnn.workflows.encode_archive import EncodedArchive, Options, encode_listed, sort_inputs, with_features

# Files of a piece: some minutes of work.
PIECE = 2000


def encode_by_spark(
    model: Path | str,
    inputs: Sequence[Path | str],
    root: Path | str,
    options: Options | None = None,
    *,
    master: str = "local[*]",
    piece: int = PIECE,
) -> EncodedArchive:
    """Encode images into an archive by the workers of a Spark cluster.

    Args:
        model: as of `encode_archive`, and reachable by all workers at the same path; so are inputs and root, on a file
            system that passes locks on.
        inputs: as of `encode_archive`. A scene is one piece.
        root: folder of the archive.
        options: `Options`.
        master: Spark's.
        piece: image files of a piece.

    Returns:
        `EncodedArchive`.

    Raises:
        DataError: as of `encode_archive`, for what the driver sees; a worker's error ends the job after four attempts.
        MissingPackage: if PySpark or Java is missing.
    """
    options = with_features(options or Options(), model)
    scenes, files = sort_inputs(inputs, options)
    # Once, by the driver: bits that are learned must be the same for all.
    encode_listed(model, scenes, files, root, options, learn_only=True)
    pieces: list[tuple[list, list]] = [([scene], []) for scene in scenes]
    pieces += [([], files[first : first + piece]) for first in range(0, len(files), piece)]

    def encode(listed: tuple[list, list]) -> tuple[dict[str, int], list[dict[str, str]]]:
        made = encode_listed(model, *listed, root, options)
        return asdict(made.counted), [asdict(one) for one in made.skipped]

    with spark_session(master) as session:
        context = session.sparkContext
        found = context.parallelize(pieces, len(pieces)).map(encode).collect()
    archive = Archive.open(root)
    compact_if_scattered(archive)
    result = EncodedArchive(archive, Encoded())
    for counted, skipped in found:
        for name, value in counted.items():
            setattr(result.counted, name, getattr(result.counted, name) + value)
        result.skipped += [Skipped(**one) for one in skipped]
    return result
