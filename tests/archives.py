"""Small archives for tests."""

import numpy as np

from keras_dhnn.archive import Archive, Identity, make_rows
from keras_dhnn.archive.geoparquet import footprints


def random_codes(count, bits=64, seed=0, distinct=None):
    """Packed codes; of `distinct` of them where there are to be ties."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (distinct or count, bits // 8), dtype=np.uint8)
    return codes if distinct is None else codes[rng.integers(0, distinct, count)]


def squares(count, side=0.01):
    """Corners `(n, 4, 2)` of tiles side by side, a hundred in a row, from 10 E 50 N eastwards and southwards."""
    west, north = 10 + side * (np.arange(count) % 100), 50 - side * (np.arange(count) // 100)
    return np.stack(
        [np.stack([west + side * right, north - side * down], -1) for right, down in ((0, 0), (0, 1), (1, 1), (1, 0))],
        axis=1,
    )


def tile_rows(codes, ids=None, seed=0, **columns):
    """Rows with labels, times and footprints, in no order of id."""
    count, rng = len(codes), np.random.default_rng(seed)
    ids = [f"tile{number:06d}" for number in rng.permutation(count)] if ids is None else ids
    values = {
        "label": [("forest", "sea", None)[number % 3] for number in range(count)],
        "content": np.arange(count),
        "time": np.datetime64("2020-01-01", "ms") + np.arange(count).astype("timedelta64[D]"),
        "row": np.arange(count) // 100 * 256,
        "col": np.arange(count) % 100 * 256,
        "size": np.full(count, 256),
        **footprints(squares(count)),
    }
    return make_rows(ids, codes, **values | columns)


def make_archive(path, codes, parts=1, bits=None, source="image", features=None, **columns):
    """An archive of some codes, and real features if there are to be such, in so many files."""
    identity = Identity("a" * 64, bits or 8 * codes.shape[1], features=0 if features is None else features.shape[1])
    archive = Archive.create(path, identity)
    rows = tile_rows(codes, **columns, **({} if features is None else {"features": features}))
    for part in range(parts):
        archive.append(rows.take(list(range(part, len(rows), parts))), source)
    return archive
