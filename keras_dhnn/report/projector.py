"""Write what TensorBoard's embedding projector shows of a run: hash outputs, class labels and thumbnails."""

import math
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector import ProjectorConfig

from keras_dhnn.files import whole_file, write_text
from keras_dhnn.pipelines.display import displayable
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import colours, read_images
from keras_dhnn.report.tsne import sample

MOST_ITEMS = 10_000
SPRITE_SIDE = 8192  # pixels: what browsers on most graphics cards take
LARGEST_THUMBNAIL = 48  # pixels
OUTPUTS, LABELS, SPRITE = "hash_outputs.tsv", "labels.tsv", "thumbnails.jpg"


def write_projector(
    folder: Path,
    info: DatasetInfo,
    items: np.ndarray,
    outputs: np.ndarray,
    turns: int,
    *,
    source: str | None = None,
    most: int = MOST_ITEMS,
) -> None:
    """Write the files of the embedding projector; TensorBoard finds them where event files are.

    Args:
        folder: a folder with event files; `projector_config.pbtxt` and what it names are written there.
        info: `DatasetInfo`.
        items: `(m,)` item numbers; of more than `most`, as many are drawn at random.
        outputs: `(n, l)` real, hash outputs of all items.
        turns: quarter turns a stored image.
        source: whose outputs and pictures they are, where there are two.
        most: see `items`.
    """
    items, numbered = sample(items, 0, most), Items(turns)
    with whole_file(folder / OUTPUTS) as file:
        np.savetxt(file, np.asarray(outputs, np.float32)[items], fmt="%.4f", delimiter="\t")
    images, angles = numbered.image(items), numbered.degrees(items)
    rows = [(info.classes[info.true_labels[i]], info.ids[i], angle) for i, angle in zip(images, angles, strict=True)]
    table = [("class", "image", "turned"), *rows]
    write_text(folder / LABELS, "".join("\t".join(_cell(value) for value in row) + "\n" for row in table))
    sprite, side = thumbnails(info, items, turns, source)
    Image.fromarray(sprite).save(folder / SPRITE, quality=80)
    config = ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="hash outputs", tensor_path=OUTPUTS, metadata_path=LABELS)
    embedding.tensor_shape.extend((len(items), outputs.shape[1]))
    embedding.sprite.image_path = SPRITE
    embedding.sprite.single_image_dim.extend((side, side))
    write_text(folder / "projector_config.pbtxt", text_format.MessageToString(config))


def thumbnails(info: DatasetInfo, items: np.ndarray, turns: int, source: str | None = None) -> tuple[np.ndarray, int]:
    """Return small pictures of items in one square sprite, row by row.

    Args:
        info: `DatasetInfo`.
        items: `(n,)` item numbers.
        turns: quarter turns a stored image.
        source: of the pictures, see `read_images`.

    Returns:
        (sprite, side): `(s, s, 3)` uint8, s at most `SPRITE_SIDE`, and the side of a thumbnail in pixels.
    """
    columns = math.ceil(math.sqrt(len(items)))
    side = min(LARGEST_THUMBNAIL, SPRITE_SIDE // columns)
    sprite = np.full((columns, side, columns, side, 3), 255, np.uint8)
    numbered = Items(turns)
    images, places = np.unique(numbered.image(items), return_inverse=True)
    by_image = np.argsort(places, kind="stable")
    for (_, image), where in zip(read_images(info, images, source), _runs(places[by_image], by_image), strict=True):
        picture = Image.fromarray(displayable(colours(image, info, source)))
        small = np.asarray(picture.resize((side, side), Image.Resampling.BOX))
        for place in where:
            row, column = divmod(int(place), columns)
            sprite[row, :, column] = numbered.view(small, items[place])
    return sprite.reshape(columns * side, columns * side, 3), side


def _runs(sorted_keys, values):
    """Return `values` in runs of equal keys."""
    return np.split(values, np.flatnonzero(np.diff(sorted_keys)) + 1)


def _cell(value):
    """Return a value that neither ends its cell nor its row."""
    return " ".join(str(value).split())
