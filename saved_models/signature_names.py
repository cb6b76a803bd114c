"""How an export's signatures are called, for those that make them and for clients that choose one."""

import re

_PAIR = re.compile(r"(?P<source>.+?)_to_(?P<target>.+?)(?:_uint8|_bytes)?")


def join(*parts):
    """`"pan_to_mul_bytes"` of `"pan_to_mul", "bytes"`; empty parts are left out."""
    return "_".join(filter(None, parts))


def search_stem(source, target, alone):
    """What the names of searching signatures begin with; `alone`: the model has one source."""
    return "search" if alone else f"{source}_to_{target}"


def served_tasks(names):
    """The pairs (source of the image, source to search in) that a model's signatures offer, in the order of names.

    Args:
        names: of its signatures.

    Returns:
        List of pairs; empty for a model with one source.
    """
    found = (_PAIR.fullmatch(name) for name in names)
    return list(dict.fromkeys((match["source"], match["target"]) for match in found if match))


def choose_stem(names, task):
    """What the names of the signatures for a user's task begin with.

    Args:
        names: of the model's signatures.
        task: (source of the image, source to search in), each None where the user said nothing.

    Raises:
        ValueError: that lists the choices, if there are several sources and the task is not one of their pairs, or if
            there is one and it was named.
    """
    tasks = served_tasks(names)
    if not tasks and task == (None, None):
        return "search"
    if not tasks:
        raise ValueError("The model has one source of images: leave out --from and --to.")
    if task not in tasks:
        choices = "; ".join(f"--from {source} --to {target}" for source, target in tasks)
        raise ValueError(f"The model has several sources. Say what the image is and what to search in: {choices}")
    return search_stem(*task, alone=False)


def images_signature(stem):
    """The one that takes float32 images."""
    return "serving_default" if stem == "search" else stem
