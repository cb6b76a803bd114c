"""Read MATLAB files of both kinds, MATLAB 5 and HDF5 (v7.3): what is in them, without reading it into memory.

`scipy.io.loadmat` reads whole variables, and a damaged file can crash it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_dhnn.errors import DataError
from keras_dhnn.files import open_regular
from keras_dhnn.pipelines.formats.mat5 import list_mat5
from keras_dhnn.pipelines.formats.mat_array import MatArray

_HDF5 = b"\x89HDF\r\n\x1a\n"
# MATLAB writes HDF5 files behind a block of its own.
_HDF5_STARTS = (0, 512)


@dataclass(frozen=True, eq=False)
class MatFile:
    """Describe the variables of a MATLAB file.

    Attributes:
        path: of the file.
        arrays: `{name: MatArray}` of the real numeric ones.
        others: `{name: kind}` of the rest, such as cells and texts, which are not read.
    """

    path: Path
    arrays: dict
    others: dict

    def array(self, name: str, shape: Sequence[int | None]) -> MatArray:
        """Return one of the arrays, if it has the shape that is expected.

        Args:
            name: of the variable.
            shape: NumPy's order of axes; None stands for any length, from 1.

        Raises:
            DataError: if there is none, or of another shape.
        """
        if name not in self.arrays:
            raise DataError(
                f"Expected a numeric variable {name} in {self.path}. Found: {self._names() or 'no variables'}. Is it "
                "the right file?"
            )
        found = self.arrays[name]
        fits = len(found.shape) == len(shape) and all(
            length == (expected or length) and length for length, expected in zip(found.shape, shape, strict=True)
        )
        if not fits:
            expected = " x ".join("N" if length is None else str(length) for length in shape[::-1])
            size = " x ".join(map(str, found.matlab_size))
            raise DataError(
                f"Expected {name} in {self.path} to have MATLAB's size {expected}. Found: {size}. Is it the right file?"
            )
        return found

    def _names(self):
        kinds = {name: " x ".join(map(str, array.matlab_size)) for name, array in self.arrays.items()} | self.others
        return ", ".join(f"{name} ({kind})" for name, kind in list(kinds.items())[:20])


def open_mat(path: Path | str) -> MatFile:
    """List the variables of a MATLAB file.

    Args:
        path: of a MATLAB 5 file, as `save` writes it, or an HDF5 one, as `save -v7.3` does.

    Returns:
        MatFile

    Raises:
        DataError: if it is neither, is damaged or cut short, or cannot be read.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            start = file.read(max(_HDF5_STARTS) + len(_HDF5))
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    if any(start[first : first + len(_HDF5)] == _HDF5 for first in _HDF5_STARTS):
        from keras_dhnn.pipelines.formats.mat73 import list_mat73  # h5py is needed only here

        return MatFile(path, *list_mat73(path))
    return MatFile(path, *list_mat5(path))
