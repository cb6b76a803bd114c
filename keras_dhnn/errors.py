"""What can be wrong with a user's data. Every message says what was expected, what was found, and what to do."""


class DataError(Exception):
    """A data set, archive or image that cannot be used as it is. The command line prints it and exits with 2."""


class DamagedFile(DataError):
    """One file of an archive that is damaged or does not belong there; `--skip-damaged` leaves it out.

    Attributes:
        name: the file, relative to the archive.
        reason: what was expected there and what was found.
    """

    def __init__(self, name, reason):
        super().__init__(f"{name}: {reason}. Repair or remove it, or leave such files out with --skip-damaged.")
        self.name = name
        self.reason = reason
