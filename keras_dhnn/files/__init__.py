"""Write files and folders whole or not at all; read them within bounds, trusting nothing.

What is here knows nothing of data sets and runs: `checksums` notices changed bytes, `owner` keeps a second writer out.
"""

from keras_dhnn.files.cells import guarded, unguarded
from keras_dhnn.files.folders import atomic_folder
from keras_dhnn.files.links import refuse_links
from keras_dhnn.files.names import (
    as_list,
    check_name,
    expanded,
    is_inside,
    is_text,
    new_folder,
    refuse_address,
    user_cache,
)
from keras_dhnn.files.reading import check_kind, open_regular, read_arrays, read_bytes, read_json, read_lines
from keras_dhnn.files.writing import (
    mark_used,
    may_write,
    naming,
    system_error,
    whole,
    whole_file,
    write_arrays,
    write_json,
    write_text,
)

__all__ = [
    "as_list",
    "atomic_folder",
    "check_kind",
    "check_name",
    "expanded",
    "guarded",
    "is_inside",
    "is_text",
    "mark_used",
    "may_write",
    "naming",
    "new_folder",
    "open_regular",
    "read_arrays",
    "read_bytes",
    "read_json",
    "read_lines",
    "refuse_address",
    "refuse_links",
    "system_error",
    "unguarded",
    "user_cache",
    "whole",
    "whole_file",
    "write_arrays",
    "write_json",
    "write_text",
]
