"""Word what decoders say of a file that they cannot, or will not, decode."""


class UnreadableImage(ValueError):
    """Report report report report report report what is wrong with a file, as the end of a sentence that begins with
    its name.
    """
