"""Keep archives of hash codes in Parquet files, larger than one machine's memory: encode, store, search.

`Archive.open(folder)` is where to begin; a search takes `Queries` and gives `Results`.
"""

from keras_dhnn.errors import MissingPackage

try:
    from keras_dhnn.archive.appending import Appended
    from keras_dhnn.archive.info import ArchiveInfo, Items
    from keras_dhnn.archive.manifest import Identity
    from keras_dhnn.archive.queries import Queries, combine
    from keras_dhnn.archive.results import Results
    from keras_dhnn.archive.schema import make_rows
    from keras_dhnn.archive.store import Archive
except ModuleNotFoundError as error:
    raise MissingPackage(f"Archives need packages ({error}). Run: pip install 'keras-dhnn[scale]'") from error

__all__ = ["Appended", "Archive", "ArchiveInfo", "Identity", "Items", "Queries", "Results", "combine", "make_rows"]
