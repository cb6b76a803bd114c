"""Turn and mirror images by the 8 symmetries of the square.

A symmetry is a number: 1 mirrors top and bottom, 2 left and right, 4 then swaps rows and columns; they add up.
"""

import numpy as np

COUNT = 8
NAMES = (
    "as it is",
    "mirrored top to bottom",
    "mirrored left to right",
    "turned 180 degrees",
    "mirrored at the diagonal",
    "turned 270 degrees",
    "turned 90 degrees",
    "mirrored at the other diagonal",
)


def turned(image: np.ndarray, symmetry: int) -> np.ndarray:
    """Return an image seen under a symmetry.

    Args:
        image: `(H, W, ...)`.
        symmetry: 0 to 7.

    Returns:
        A view of it, `(H, W, ...)` or `(W, H, ...)`.
    """
    rows, columns = (slice(None, None, -1 if symmetry & bit else 1) for bit in (1, 2))
    image = image[rows, columns]
    return image.swapaxes(0, 1) if symmetry & 4 else image


def _matrix(symmetry):
    mirrored = np.diag([-1 if symmetry & 1 else 1, -1 if symmetry & 2 else 1])
    return mirrored[::-1] if symmetry & 4 else mirrored


# `MATRICES[s] @ place` is where `turned(image, s)` shows what `image` has at `place`, (row, column) from the middle.
MATRICES = np.stack([_matrix(symmetry) for symmetry in range(COUNT)])


def _number(matrix):
    return int(np.flatnonzero((matrix == MATRICES).all(axis=(1, 2)))[0])


# `BETWEEN[a, b]`: if image x under a looks like image y under b, then x looks like y under this symmetry.
BETWEEN = np.array([[_number(a.T @ b) for b in MATRICES] for a in MATRICES])
