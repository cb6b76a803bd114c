"""Say why a request of the page is not answered: a status, a kind that a program reads, words that a user reads."""

from keras_dhnn.errors import DataError, KerasDhnnError, SettingError


class Refusal(Exception):
    """Report what a browser gets instead of an answer.

    Attributes:
        status: of HTTP.
        kind: one word, such as "setting" or "not_found".
    """

    def __init__(self, status: int, kind: str, message: str):
        super().__init__(message)
        self.status, self.kind = status, kind

    @classmethod
    def of(cls, error: KerasDhnnError) -> "Refusal":
        """Return what a browser is told of a user's mistake."""
        if isinstance(error, SettingError):
            return cls(400, "setting", str(error))
        return cls(422, "data" if isinstance(error, DataError) else "setting", str(error))

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return the body of the answer."""
        return {"error": {"kind": self.kind, "message": str(self)}}


def not_found(what: str) -> Refusal:
    """Return the refusal of something that is not there."""
    return Refusal(404, "not_found", what)
