"""Word what decoders say of a file that they cannot, or will not, decode."""


class UnreadableImage(ValueError):
    """Report what is wrong with a file, as the end of a sentence that begins with its name.

    Attributes:
        cure: what helps, a sentence after a space, or "" if nothing is known.
    """

    def __init__(self, reason: str, cure: str = "") -> None:
        super().__init__(reason)
        self.cure = cure
