"""Choose the items by which the epoch that is kept is picked."""

import numpy as np

from keras_dhnn.pipelines.splits import Split

# Of a larger database, validation searches so many items: encoding all of half a million takes as long as training on
# them, and the expected mAP of a sample is nearly the same.
VALIDATION_SEARCHES = 20_000


def validation_items(split: Split) -> np.ndarray:
    """Return the item numbers that validation encodes: those held out, and those they search, drawn by the split's
    seed.
    """
    searched = split.searched
    if len(searched) > VALIDATION_SEARCHES:
        searched = np.random.default_rng(split.seed).choice(searched, VALIDATION_SEARCHES, replace=False)
    return np.union1d(split.validation, searched)
