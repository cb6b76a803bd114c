"""What can be wrong with a user's data. Every message says what was expected, what was found, and what to do."""


class DataError(Exception):
    """A data set, archive or image that cannot be used as it is. The command line prints it and exits with 2."""
