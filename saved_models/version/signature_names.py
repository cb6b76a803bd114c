"""Name an export's signatures, for those that make them and for clients that choose one."""

import re
from collections.abc import Collection, Iterable, Sequence

from keras_dhnn.errors import SettingError

# Searches that ask for one class of items have names of their own: REST clients must send every input.
IN_CLASS = "in_class"
_PAIR = re.compile(rf"(?P<source>.+?)_to_(?P<target>.+?)(?:_{IN_CLASS})?(?:_uint8|_bytes)?")


def join(*parts: str) -> str:
    """Return `"pan_to_mul_bytes"` of `"pan_to_mul", "bytes"`; empty parts are left out."""
    return "_".join(filter(None, parts))


def search_stem(source: str | None, target: str | None, alone: bool, in_class: bool = False) -> str:
    """Return what the names of searching signatures begin with; `alone`: the model has one source."""
    return join("search" if alone else f"{source}_to_{target}", IN_CLASS if in_class else "")


def file_signatures(source: str, targets: Sequence[str]) -> list[str]:
    """Return names of the signatures that take image files of a source.

    Args:
        source: one of a model's sources.
        targets: all that are searched.
    """
    alone = len(targets) == 1
    stems = [search_stem(source, target, alone, in_class) for target in targets for in_class in (False, True)]
    return [join(stem, "bytes") for stem in [join("encode", "" if alone else source), *stems]]


def served_tasks(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs (source of the image, source to search in) that a model's signatures offer, in the order of
    names.

    Args:
        names: of its signatures.

    Returns:
        List of pairs; empty for a model with one source.
    """
    found = (_PAIR.fullmatch(name) for name in names)
    return list(dict.fromkeys((match["source"], match["target"]) for match in found if match))


def choose_stem(names: Collection[str], task: tuple[str | None, str | None], in_class: bool = False) -> str:
    """Return what the names of the signatures for a user's task begin with.

    Args:
        names: of the model's signatures.
        task: (source of the image, source to search in), each None where the user said nothing.
        in_class: whether items of one class are asked for.

    Raises:
        SettingError: that lists the choices, if there are several sources and the task is not one of their pairs; or if
            there is one and it was named; or if no signature asks for one class, as in exports of earlier days.
    """
    tasks = served_tasks(names)
    if not tasks and task != (None, None):
        raise SettingError("The model has one source of images: leave out --from and --to.")
    if tasks and task not in tasks:
        choices = "; ".join(f"--from {source} --to {target}" for source, target in tasks)
        raise SettingError(f"The model has several sources. Say what the image is and what to search in: {choices}")
    stem = search_stem(*task, not tasks, in_class)
    if in_class and stem not in names:
        raise SettingError(f"The model has no signature {stem!r}, which --class needs: export it again.")
    return stem


def images_signature(stem: str) -> str:
    """Return the one that takes float32 images."""
    return "serving_default" if stem == "search" else stem
