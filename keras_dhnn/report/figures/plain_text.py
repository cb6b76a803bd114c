"""Draw names of all scripts, and with any signs, in figures."""

import functools
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

_HALVES = frozenset(map(chr, range(0xD800, 0xE000)))


def plain_text(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Make a function that returns a figure take names as they are.

    Two dollar signs are no formula then. Characters that the usual font lacks come from another one of the system; what
    none has is written as its code, such as \\u6e2f, rather than as a box.
    """

    @functools.wraps(draw)
    def drawn(*arguments: Any, **options: Any) -> Figure:
        with matplotlib.rc_context({"text.parse_math": False}):
            figure = draw(*arguments, **options)
        for text in figure.findobj(Text):
            _make_drawable(text)
        return figure

    return drawn


def _make_drawable(text):
    lacking = set(text.get_text()) - {"\n"} - _signs(font_manager.findfont("DejaVu Sans"))
    if not lacking:
        return
    families = ["DejaVu Sans"]
    for name, path in _fonts():
        found = lacking & _signs(path)
        if found:
            families.append(name)
            lacking = lacking - found
        if not lacking:
            break
    text.set_fontfamily(families)
    escapes = {ord(sign): sign.encode("ascii", "backslashreplace").decode() for sign in lacking}
    text.set_text(text.get_text().translate(escapes))


@functools.lru_cache
def _fonts():
    """Return (family, path) of the system's fonts, one face each."""
    return tuple(dict.fromkeys((font.name, font.fname) for font in font_manager.fontManager.ttflist))


@functools.lru_cache(maxsize=512)
def _signs(path):
    """Return the characters that a font has; none if it cannot be read.

    Halves of surrogate pairs, as of names that are no UTF-8, are no characters: a font of last resort draws them, but
    no text that is drawn may hold them.
    """
    try:
        return frozenset(map(chr, FT2Font(path).get_charmap())) - _HALVES
    except (OSError, RuntimeError):
        return frozenset()
