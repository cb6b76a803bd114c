"""Find out what most of the images are, by which a backbone is built."""

import collections
from collections.abc import Sequence

import numpy as np

from keras_dhnn.archive.tiles import Cut, Scene, file_form, raster_form
from keras_dhnn.errors import DamagedFile, DataError

# Images that are looked at.
_SAMPLE = 256


def common_form(
    scenes: Sequence[Scene], files: Sequence[str], cut: Cut, *, skip_damaged: bool = False
) -> tuple[int, str]:
    """Return the number of bands and the type of images; what cannot be read is passed over.

    Args:
        scenes: list of `Scene`.
        files: paths of image files.
        cut: how scenes are cut.
        skip_damaged: whether images of other kinds are left out, so that most of a sample of them decide.

    Raises:
        DataError: if there is no image, none can be read, or they are of several kinds (and not `skip_damaged`).
    """
    given, errors = [*scenes, *files], []
    if not given:
        raise DataError("There is no image to encode: the catalogue names no item. Give one that does, or images.")
    kinds: dict[tuple[int, str], list[str]] = collections.defaultdict(list)
    for number in np.sort(np.random.default_rng(0).permutation(len(given))[:_SAMPLE]):
        one = given[number]
        try:
            if isinstance(one, Scene):
                kinds[raster_form(one, cut)].append(one.name)
            else:
                kinds[file_form(one)].append(one)
        except DamagedFile as error:
            errors.append(error)
    if not kinds:
        if not skip_damaged:
            raise errors[0]
        raise DataError(
            f"None of {len(given)} images can be read, so there is none to learn from, such as {errors[0].name}: "
            f"{errors[0].reason}. Repair or convert them."
        )
    if len(kinds) > 1 and not skip_damaged:
        raise DataError(_describe(kinds))
    return max(kinds, key=lambda kind: len(kinds[kind]))


def _describe(kinds):
    lines = ["Expected images of one number of bands and one type. A sample of them has:"]
    for (channels, dtype), names in sorted(kinds.items(), key=lambda item: -len(item[1])):
        bands = "band" if channels == 1 else "bands"
        lines.append(f"  {len(names)} of {channels} {bands}, {dtype}, such as {names[0]}")
    lines.append(
        "Convert the others (--bands chooses among a scene's), or leave all but the most frequent out with "
        "--skip-damaged."
    )
    return "\n".join(lines)
