"""Write figures as files, whole or not at all."""

from pathlib import Path

from matplotlib.figure import Figure

from keras_dhnn.errors import SettingError
from keras_dhnn.files import whole_file


def save_figure(figure: Figure, path: Path | str, dpi: int) -> None:
    """Write a figure to a file; what was there stays if it cannot be written, as on a full disk.

    Args:
        figure: the figure.
        path: of the file, whose suffix says the format; PNG without one.
        dpi: dots an inch.

    Raises:
        SettingError: if there is no such format.
        OSError: if it cannot be written; its `filename` is set.
    """
    path = Path(path)
    kind, known = path.suffix[1:].lower() or "png", figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise SettingError(f"{path} is no picture by its name. Expected one that ends in .png, or {', '.join(known)}.")
    with whole_file(path) as file:
        figure.savefig(file, format=kind, dpi=dpi)
