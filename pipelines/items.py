"""Number the items of a data set: each of its stored images, in each of the quarter turns that it is seen in.

Nothing else multiplies or divides by turns.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_dhnn.errors import SettingError, invalid


@dataclass(frozen=True)
class Items:
    """Number the items of a data set: item `turns * image + turn` is an image turned so often counter-clockwise by 90
    degrees.

    What takes items takes integers, NumPy's arrays and TensorFlow's tensors alike.

    Attributes:
        turns: quarter turns that each stored image is seen in, 4, or 1 for none.

    Raises:
        SettingError: for any other number of turns.
    """

    turns: int

    def __post_init__(self) -> None:
        """Check the number of turns."""
        if self.turns not in (1, 4):
            raise SettingError(invalid("argument `turns`", "1 or 4", self.turns))

    def count(self, images: int) -> int:
        """Return how many items so many stored images are."""
        return self.turns * images

    def all(self, images: int) -> np.ndarray:
        """Return the numbers of all items of so many stored images, `(turns * images,)` int64."""
        return np.arange(self.count(images))

    def of_images(self, images: np.ndarray) -> np.ndarray:
        """Return the items of stored images `(k,)`, in all of their turns: `(turns * k,)`."""
        return (self.turns * images[:, None] + np.arange(self.turns)).ravel()

    def upright(self, images: Any) -> Any:
        """Return the items that stored images are as they are stored."""
        return self.turns * images

    def image(self, items: Any) -> Any:
        """Return the numbers of the stored images of items."""
        return items // self.turns

    def turn(self, items: Any) -> Any:
        """Return the quarter turns that items are seen in, 0 to 3."""
        return items % self.turns

    def degrees(self, items: Any) -> Any:
        """Return the angles that items are seen in, counter-clockwise: 0, 90, 180 or 270."""
        return 90 * self.turn(items)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return a value for each item, `(turns * n,)`, from one for each stored image, `(n,)`."""
        return np.repeat(values, self.turns)

    def view(self, image: np.ndarray, item: int) -> np.ndarray:
        """Return a stored image `(H, W, C)` as an item of it shows it."""
        return np.rot90(image, self.turn(item))
