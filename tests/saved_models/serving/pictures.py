"""The small pictures that lie beside an export."""

import json
import zipfile


def pictures(folder):
    """`{image id: bytes}` of a version's PNG files."""
    with zipfile.ZipFile(folder / "assets" / "thumbnails.zip") as file:
        names = json.loads(file.read("names.json"))
        assert len(file.namelist()) == len(names) + 1
        return {name: file.read(f"{number}.png") for number, name in enumerate(names)}
