"""Name settings briefly, as the papers' tables call them."""

from keras_dhnn.config import Experiment
from keras_dhnn.errors import SettingError

# The papers' symbols. Any other setting goes by its last part where only one has it ("bits", "protocol"), or in full.
SYMBOLS = {
    "s": "loss.similarity_factor",
    "P": "loss.penalty",
    "l": "model.bits",
    **{name: f"loss.{name}" for name in ("eta", "alpha", "beta", "gamma")},
}


def setting(name: str) -> str:
    """Return the setting that a name stands for.

    Args:
        name: a symbol ("s", "eta"), the last part of a setting ("bits"), or all of it ("loss.eta").

    Returns:
        "section.field".

    Raises:
        SettingError: if there is no such setting, or several end in this name.
    """
    settings = Experiment().settings
    if SYMBOLS.get(name, name) in settings:
        return SYMBOLS.get(name, name)
    found = [path for path in settings if path.split(".")[-1] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise SettingError(f"Several settings end in {name!r}. Write one of {', '.join(found)}")
    symbols = ", ".join(f"{symbol} ({path})" for symbol, path in SYMBOLS.items() if path in settings)
    raise SettingError(
        f"Unknown setting {name!r}. There are short names, {symbols}, and in full: {', '.join(settings)}"
    )


def symbol(path: str) -> str:
    """Return the shortest name of a setting: what tables and figures call it."""
    return {path: name for name, path in SYMBOLS.items()}.get(path, path.split(".")[-1])
