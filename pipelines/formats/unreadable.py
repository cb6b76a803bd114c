"""Word what decoders say of a file that they cannot, or will not, decode."""

from keras_dhnn.errors import DamagedFile

HOLDS_NOTHING = "holds no measurement: all of its pixels are empty"


class UnreadableImage(ValueError):
    """Report what is wrong with a file, as the end of a sentence that begins with its name.

    Attributes:
        cure: what helps, a sentence after a space, or "" if nothing is known.
    """

    def __init__(self, reason: str, cure: str = "") -> None:
        super().__init__(reason)
        self.cure = cure


class EmptyImage(DamagedFile):
    """Report an image without a measurement, such as a tile beyond the border of a scene; it is left out in any
    case.
    """

    def __init__(self, name: str):
        super().__init__(name, HOLDS_NOTHING)
