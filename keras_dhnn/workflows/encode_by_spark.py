"""Run `encode` by Spark: the list of inputs in pieces, each encoded by whichever worker is free into the same archive.

What makes it safe is the archive's: a piece that a lost worker had half done is gone on with by another, since what is
there is not encoded again and appends are whole or nothing. At an address, where nothing locks, workers hand rows to
the driver, which alone writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from keras_dhnn.archive.appending import Appended
from keras_dhnn.archive.encoding import Encoded
from keras_dhnn.archive.maintenance import compact_if_scattered, remove_outdated
from keras_dhnn.archive.places import is_address
from keras_dhnn.archive.spark import run_by_workers, spark_session
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles import Skipped
from keras_dhnn.workflows.encode_archive import EncodedArchive, Options, encode_listed, sort_inputs, with_features
from keras_dhnn.workflows.gone_files import find_gone
from keras_dhnn.workflows.tile_labels import image_labels

# Files of a piece: some minutes of work.
PIECE = 2000
# Pieces for each core between two writes of the driver.
_WAVE = 4


def encode_by_spark(
    model: Path | str,
    inputs: Sequence[Path | str],
    root: Path | str,
    options: Options | None = None,
    *,
    master: str = "local[*]",
    piece: int = PIECE,
    settings: Mapping[str, str] | None = None,
) -> EncodedArchive:
    """Encode images into an archive by the workers of a Spark cluster.

    Args:
        model: as of `encode_archive`, and reachable by all workers at the same path.
        inputs: as of `encode_archive`, at the same paths for all, or at addresses. A scene is one piece.
        root: folder of the archive, on a file system that all mount and that passes locks on, or an address.
        options: `Options`.
        master: Spark's.
        piece: image files of a piece.
        settings: `{name: value}` of Spark.

    Returns:
        `EncodedArchive`.

    Raises:
        DataError: as of `encode_archive`; what other pieces of the same wave gave is in the archive then. Or if Spark
            gives up.
        MissingPackage: if PySpark or Java is missing.
    """
    options = with_features(options or Options(), model)
    links: list[Skipped] = []
    unread: list[Skipped] = []
    scenes, files = sort_inputs(inputs, options, links, unread)
    # Of all images at once: a table names those of other pieces too.
    labels = image_labels(options.labels, scenes, files)
    options = replace(options, labels=labels)
    gone = find_gone(root, inputs, scenes, files, source=options.source, prune=options.prune)
    # Once, by the driver: bits that are learned must be the same for all.
    learned = encode_listed(model, scenes, files, root, options, learn_only=True)
    source = learned.source
    pieces: list[tuple[list, list]] = [([scene], []) for scene in scenes]
    pieces += [([], files[first : first + piece]) for first in range(0, len(files), piece)]
    at_address = is_address(root)

    def encode(listed: tuple[list, list]) -> tuple[Encoded, list[Skipped], list[tuple[pa.Table, str]], dict]:
        rows: list[tuple[pa.Table, str]] = []

        def keep(table: pa.Table, source: str) -> Appended:
            rows.append((table, source))
            return Appended(0, 0, 0)

        made = encode_listed(model, *listed, root, options, append=keep if at_address else None)
        return made.counted, made.skipped, rows, made.outdated

    archive = Archive.open(root)
    # What the driver has added while it learned, the workers find there.
    by_driver = learned.counted.added
    result = EncodedArchive(archive, Encoded(added=by_driver, known=-by_driver), [*unread, *links], source=source)
    with spark_session(master, **(settings or {})) as session:
        # Rows that the driver writes are held until a wave of pieces is done.
        wave = _WAVE * session.sparkContext.defaultParallelism if at_address else max(len(pieces), 1)
        for first in range(0, len(pieces), wave):
            part = pieces[first : first + wave]
            made = run_by_workers(session, encode, part)
            for counted, skipped, rows, outdated in (one for one in made if not isinstance(one, Exception)):
                result.counted.add(counted)
                result.skipped += skipped
                for table, theirs in rows:
                    result.counted.add(archive.append(table, theirs))
                result.outdated |= outdated
            for error in (one for one in made if isinstance(one, Exception)):
                raise error
    if at_address:
        remove_outdated(archive, result.outdated, source)
    archive.refresh()
    result.relabel(labels)
    result.settle(gone, options.prune and not unread)
    compact_if_scattered(archive)
    return result
