"""Print what comes from files and archives without letting it act on the terminal."""

import unicodedata

# What joins or parts the letters of several scripts, and emoji.
_JOINERS = "\u200c\u200d"


def printable(text: object, *, lines: bool = False) -> str:
    """Return a text in which signs that a terminal acts on, or that hide what is there, are written as escapes.

    Letters and signs of all scripts stay as they are.

    Args:
        text: it, or what `str` makes one of.
        lines: whether line ends and tabs stay too.
    """
    text = str(text)
    if text.isprintable():
        return text
    kept = _JOINERS + ("\n\t" if lines else "")
    return "".join(sign if _harmless(sign) or sign in kept else _escaped(sign) for sign in text)


def _harmless(sign):
    return sign.isprintable() or unicodedata.category(sign) == "Zs"


def _escaped(sign):
    return sign.encode("unicode_escape").decode()
