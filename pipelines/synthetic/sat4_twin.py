"""Write the synthetic twin of SAT-4: made-up patches in the real archive's MATLAB file, for trials without the real
data.

No score on a twin may be set beside a published one; every report says "synthetic".
"""

import collections
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.machine import cores
from keras_dhnn.pipelines.datasets.sat4 import BANDS, CLASSES, MAT, PARTS, SIDE
from keras_dhnn.pipelines.formats.mat5_writer import write_array, write_header, write_small
from keras_dhnn.pipelines.synthetic.new_archive import new_archive
from keras_dhnn.pipelines.synthetic.sat4_scenes import patches

MOST = 500_000
# How often each class comes.
SHARES = (0.26, 0.2, 0.18, 0.36)
CHUNK = 1000


def write_sat4(
    destination: Path | str,
    *,
    size: int = 20_000,
    seed: int = 0,
    label_noise: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `sat-4-full.mat`: MATLAB 5, uncompressed, four fifths of the patches for training and one for testing.

    A patch depends on seed, part and number only, so that a smaller twin is the beginning of a larger one. The file
    appears whole or not at all.

    With label noise, `train_y` and `test_y` are what an annotator wrote: each label is, with that probability, one of
    the other three classes. `train_y_true` and `test_y_true` are the truth, as no real archive has it; `sat4` reads
    both, so that training sees the one and scores are computed with the other. Both parts are noisy, since under the
    papers' protocol the network is trained on all but the queries, wherever they stood in the archive. Images and
    truth do not depend on the noise, and labels that are wrong at 10 % are wrong, and equal, at 20 %.

    Args:
        destination: folder to write into; made if missing.
        size: patches in all, 10 to 500,000.
        seed: whole number, 0 or more.
        label_noise: share of wrong labels, 0 to below 1.
        progress: called as `progress(done, total)` after each chunk of patches.

    Returns:
        Path of the file.

    Raises:
        SettingError: for a number outside its bounds.
        DataError: if the file is there already, or cannot be written.
    """
    _check(size, label_noise)
    path = Path(destination) / MAT
    with new_archive(path) as partial, open(partial, "wb") as file:
        _write(file, size, seed, label_noise, progress)
    return path


def _write(file, size, seed, label_noise, progress):
    write_header(file, f"synthetic twin of SAT-4, seed {seed}, made by keras-dhnn")
    counts, done = (size - size // 5, size // 5), 0
    for number, (part, count) in enumerate(zip(PARTS, counts, strict=True)):
        labels = []

        def slabs(number: int = number, count: int = count, labels: list = labels) -> Iterator[np.ndarray]:
            nonlocal done
            draw = functools.partial(chunk, seed, number)
            for first, (truth, images) in zip(range(0, count, CHUNK), _ahead(draw, -(-count // CHUNK)), strict=True):
                labels.append(truth[: count - first])
                yield images[: count - first]
                done += len(labels[-1])
                if progress:
                    progress(done, size)

        write_array(file, f"{part}_x", (count, len(BANDS), SIDE, SIDE), "u1", slabs())
        truth = np.concatenate(labels)
        one_hot = np.eye(len(CLASSES), dtype=np.uint8)
        noisy = with_noise(truth, label_noise, seed, number)
        write_array(file, f"{part}_y", (count, len(CLASSES)), "f8", [one_hot[noisy]])
        if label_noise:
            write_array(file, f"{part}_y_true", (count, len(CLASSES)), "f8", [one_hot[truth]])
    rows = [[",".join(map(str, row)), name] for row, name in zip(np.eye(4, dtype=int).tolist(), CLASSES, strict=True)]
    write_small(file, annotations=np.array(rows, object))


def chunk(seed: int, part: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one chunk of a part.

    Args:
        seed: whole number, 0 or more.
        part: 0 (training) or 1 (testing).
        number: of the chunk in its part.

    Returns:
        labels `(CHUNK,)` and images `(CHUNK, 4, 28, 28)` uint8: band, column, row, as the file has them.
    """
    rng = np.random.default_rng([seed, part, number])
    labels = rng.choice(len(CLASSES), CHUNK, p=SHARES)
    return labels, patches(rng, labels)


def with_noise(labels: np.ndarray, share: float, seed: int, part: int) -> np.ndarray:
    """Return labels `(n,)`, of which the share given are replaced by another class; see `write_sat4`."""
    rng = np.random.default_rng([seed, part, MOST])  # no chunk has this number
    # One draw an item, whatever the share is, so that the smaller share's items are among the larger share's.
    draws, others = rng.random((len(labels), 2)).T
    return np.where(draws < share, (labels + 1 + (3 * others).astype(int)) % len(CLASSES), labels)


def _ahead(function, count):
    """Yield function(0), function(1), ... up to `count`, in order, computed by all cores a few steps ahead."""
    workers = cores()
    with ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque()
        for number in range(count):
            waiting.append(pool.submit(function, number))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _check(size, label_noise):
    for name, value, expected, within in (
        ("size", size, f"a whole number from 10 to {MOST}", size == int(size) and 10 <= size <= MOST),
        ("label_noise", label_noise, "a share from 0 to below 1", 0 <= label_noise < 1),
    ):
        if not within:
            raise SettingError(invalid(f"argument `{name}`", expected, value))
