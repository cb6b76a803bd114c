"""Find out what images are: most of them, by which a backbone is built, and those scenes that a model does not take."""

import collections
from collections.abc import Mapping, Sequence

import numpy as np

from keras_dhnn.archive.tiles import Form, Header, Skipped, file_form
from keras_dhnn.errors import DamagedFile, DataError

# Images that are looked at.
_SAMPLE = 256
# Scenes that are named in an error.
_NAMED = 5


def common_form(
    headers: Mapping[str, Header | DamagedFile], files: Sequence[str], *, skip_damaged: bool = False
) -> tuple[int, str]:
    """Return the number of bands and the type of images; what cannot be read is passed over.

    Args:
        headers: of scenes, see `read_headers`.
        files: paths of image files.
        skip_damaged: whether images of other kinds are left out, so that most of a sample of them decide.

    Raises:
        DataError: if there is no image, none can be read, or they are of several kinds (and not `skip_damaged`).
    """
    given, errors = [*headers.items(), *((path, None) for path in files)], []
    if not given:
        raise DataError("There is no image to encode: the catalogue names no item. Give one that does, or images.")
    kinds: dict[tuple[int, str], list[str]] = collections.defaultdict(list)
    for number in np.sort(np.random.default_rng(0).permutation(len(given))[:_SAMPLE]):
        name, header = given[number]
        try:
            kinds[file_form(name) if header is None else _kind(header)].append(name)
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


def misfits(headers: Mapping[str, Header | DamagedFile], form: Form) -> list[Skipped]:
    """Return the scenes that cannot be encoded, as their headers say: damaged ones, and those of another form."""
    found = []
    for name, header in headers.items():
        wrong = header.reason if isinstance(header, DamagedFile) else form.misfit(header.channels, header.dtype)
        if wrong:
            found.append(Skipped(name, wrong))
    return found


def refuse(wrong: Sequence[Skipped], headers: Mapping[str, Header | DamagedFile]) -> None:
    """Refuse scenes, if there are any, before others have been encoded for hours.

    Raises:
        DamagedFile: if there is one.
        DataError: if there are several.
    """
    if len(wrong) == 1:
        header = headers[wrong[0].name]
        raise header if isinstance(header, DamagedFile) else DamagedFile(wrong[0].name, wrong[0].reason)
    if wrong:
        named = [f"  {one.name}: {one.reason}" for one in wrong[:_NAMED]]
        more = [f"  and {len(wrong) - _NAMED:,} more"] if len(wrong) > _NAMED else []
        remedy = "Repair or convert them, or leave such files out with --skip-damaged."
        raise DataError(
            "\n".join([f"{len(wrong):,} of {len(headers):,} scenes cannot be encoded:", *named, *more, remedy])
        )


def _kind(header):
    if isinstance(header, DamagedFile):
        raise header
    return header.channels, header.dtype


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
