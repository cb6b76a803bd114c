"""Search an archive: an image, a vector or ids are turned into a query of it."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.archive.places import is_address, local_copy, place
from keras_dhnn.archive.queries import WEIGHED, Queries, combine
from keras_dhnn.archive.results import Results
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.wanted import DEFAULT_COLUMNS
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.pipelines.formats.image_file import read_image_file
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage


@dataclass(frozen=True)
class Asked:
    """Describe queries, and what each is called.

    Attributes:
        names: ids or file names.
        queries: `Queries`, as many.
        images: `{name: (H, W, C) array}` of those that are files.
        rerank: how many of the nearest are put in order by score.
    """

    names: list
    queries: Queries
    images: dict
    rerank: int = 0


def make_queries(
    archive: Archive,
    given: Sequence[str],
    *,
    like: Sequence[str] = (),
    unlike: Sequence[str] = (),
    embeddings: Path | str | None = None,
    column: str | None = None,
    source: str | None = None,
    model: Path | str | None = None,
    data: Path | str = Path("data"),
) -> Asked:
    """Turn what a user named into queries.

    Args:
        archive: `Archive`.
        given: texts, each the path of an image file, else an id of the archive.
        like: ids; together with `unlike` they make one query more.
        unlike: ids.
        embeddings: path of a file of vectors, for an archive of such; it stands alone.
        column: where the vectors are in it.
        source: the image source of the ids.
        model: path of the archive's model, where it has moved.
        data: folder of the prepared data sets.

    Returns:
        `Asked`.

    Raises:
        DataError: if a file is no image as the model takes it.
        SettingError: if an id is not there, or nothing is asked.
    """
    if embeddings is not None:
        from keras_dhnn.workflows.encode_vectors import vector_queries

        return Asked(*vector_queries(archive, embeddings, column), {})
    if not (given or like):
        raise SettingError("Expected what to look for: image files, ids of the archive, or --like ID.")
    files = [text for text in given if _is_file(archive, text, source)]
    ids = [text for text in given if text not in files]
    there = archive.known(ids, archive.source(source)) if ids else {}
    lacking = next((text for text in ids if text not in there), None)
    if lacking is not None:
        raise SettingError(f"There is no file {lacking!r}, and no item of that id. Name an image file or an item.")
    parts, images = [], {}
    if files:
        encoded, images = _encode_files(archive, files, model, data)
        parts.append(encoded)
    if ids:
        parts.append(archive.queries(ids, source))
    names, rerank = files + ids, 0
    if like or unlike:
        if parts:
            raise SettingError("Expected either images and ids, or --like and --unlike. Received both.")
        disliked = archive.queries(list(unlike), source) if unlike else None
        parts, names, rerank = [combine(archive.queries(list(like), source), disliked)], [" + ".join(like)], WEIGHED
    return Asked(names, _joined(parts), images, rerank)


def _is_file(archive, text, source):
    """Return whether a text names an image file; an address that is an id is an id."""
    if is_address(text):
        return not archive.known([text], archive.source(source))
    return place(text).is_file()


def _encode_files(archive, files, model, data):
    encoder, images = _encoder(str(archive.root), archive.identity.model, model, data), {}
    for path in files:
        try:
            with local_copy(path) as copy:
                images[path] = read_image_file(copy).image(encoder.form.channels, encoder.form.dtype)
        except UnreadableImage as error:
            expected = "Expected an image as those of the archive, of any size."
            raise DataError(f"{path} {error}. {expected}{error.cure}") from error
    parts = [encoder.encode(encoder.form.fit(image, path)[None]) for path, image in images.items()]
    return _joined(parts), images


@functools.lru_cache(maxsize=1)
def _encoder(root, fingerprint, model, data):
    """Open the encoder of an archive, or return the last one: to build its network takes longer than to search."""
    from keras_dhnn.workflows.archive_encoder import open_encoder

    return open_encoder(Archive.open(root), model=model, data=data)


def _joined(parts):
    """Return queries one after the other; outputs and features only where all have them."""
    codes = np.concatenate([part.codes for part in parts])
    both = [[getattr(part, name) for part in parts] for name in ("outputs", "features")]
    whole = [None if any(one is None for one in ones) else np.concatenate(ones) for ones in both]
    return Queries(codes, *whole)


def run_search(
    archive: Archive,
    asked: Asked,
    *,
    engine: str = "duckdb",
    master: str = "local[*]",
    spark_conf: Sequence[str] = (),
    geometry: bool = False,
    **how: Any,
) -> Results:
    """Search an archive by one engine or the other; both find the same.

    Args:
        archive: `Archive`.
        asked: `Asked`.
        engine: "duckdb" or "spark".
        master: Spark's.
        spark_conf: settings of Spark's, each `NAME=VALUE`.
        geometry: whether the results have footprints.
        **how: see `Archive.search`.

    Returns:
        `Results`.

    Raises:
        SettingError: for another engine.
    """
    columns = (*DEFAULT_COLUMNS, "geometry") if geometry else DEFAULT_COLUMNS
    if engine == "duckdb":
        return archive.search(asked.queries, rerank=asked.rerank, columns=columns, **how)
    if engine != "spark":
        raise SettingError(f"Expected --engine duckdb or spark. Received: {engine!r}")
    from keras_dhnn.archive.spark import parse_settings, search_by_spark, spark_session

    with spark_session(master, **parse_settings(spark_conf)) as session:
        return search_by_spark(session, archive, asked.queries, rerank=asked.rerank, columns=columns, **how)
