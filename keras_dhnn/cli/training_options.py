"""Declare once the options of the verbs that train: which experiment is meant, where its data are, where results go."""

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_dhnn.cli.options import (
    Backbone,
    Bits,
    Cache,
    Config,
    DataFolder,
    Protocol,
    Queries,
    RunsFolder,
    Seed,
    Settings,
    Synthetic,
)

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "bits": (Bits, None),
    "protocol": (Protocol, None),
    "queries": (Queries, None),
    "backbone": (Backbone, None),
    "settings": (Settings, None),
    "config": (Config, None),
    "synthetic": (Synthetic, False),
    "data": (DataFolder, Path("data")),
    "runs": (RunsFolder, Path("runs")),
    "seed": (Seed, None),
    "cache": (Cache, None),
}


def training_options(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds these options to those in the signature of a verb, which takes them as `**asked`.

    They come as the verb's workflow takes them: the backbone as one text, settings as a list.

    Args:
        *left_out: names of options that the verb does not have, or has in another way.
    """
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _OPTIONS.items()
        if name not in left_out
    ]

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(verb)
        def run(**options: Any) -> None:
            options["backbone"] = ",".join(options["backbone"] or [])
            options["settings"] = options["settings"] or []
            if (place := options.pop("cache", None)) is not None:
                os.environ["KERAS_DHNN_CACHE"] = str(place)
            verb(**options)

        own = [one for one in inspect.signature(verb).parameters.values() if one.kind is not one.VAR_KEYWORD]
        # What typer reads.
        run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in [*own, *added]}
        return run

    return decorate
