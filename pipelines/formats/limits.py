"""Say how much of an image archive is read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Describe what an archive may claim before it is refused: bytes a file, bytes in all, number of files."""

    file_bytes: int = 64 << 20
    total_bytes: int = 64 << 30
    files: int = 1_000_000
