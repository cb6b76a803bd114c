"""Word what decoders say of a file that they cannot, or will not, decode."""


class UnreadableImage(ValueError):
    """Report what is wrong with a file, as the end of a sentence that begins with its name."""
