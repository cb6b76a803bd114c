"""Retrieval for one image file, by the codes of a run."""

import numpy as np

from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.figures.gallery import GalleryRow, Retrieved, gallery_figure
from keras_dhnn.models.loading import load_model
from keras_dhnn.pipelines.batches import resize
from keras_dhnn.pipelines.image_file import read_image
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.report import item_images
from keras_dhnn.stored_images import colours


def search(run, info, image, k):
    """The items of a run's database that are nearest to an image file.

    Args:
        run: a finished `Run`.
        info: `DatasetInfo` of its data set.
        image: path of an image file with as many bands as the data set's images.
        k: how many to find.

    Returns:
        `(pixels, found)`: the image as prepared, and a list of dictionaries `rank`, `item`, `distance`, `class`, `id`
        and `turned` (the quarter turns it is seen in), by distance, then item number.

    Raises:
        DataError: if the file is not such an image.
    """
    data, (source, spec) = run.experiment.data, next(iter(info.images.items()))
    pixels = read_image(image, spec)
    size = (data.image_size, data.image_size)
    outputs = load_model(run.model_path)({source: resize(pixels[None], size)})[source].numpy()
    stored, split = run.load_codes(), Split.load(run.split_path)
    distances = hamming_distances(pack(outputs), stored["codes"][split.database])[0]
    order = np.argsort(distances, kind="stable")[:k]
    items = split.database[order]
    return pixels, [
        {
            "rank": rank,
            "item": int(item),
            "distance": int(distance),
            "class": info.classes[info.true_labels[item // data.turns]],
            "id": str(info.ids[item // data.turns]),
            "turned": f"turned {90 * (item % data.turns)} degrees" if item % data.turns else "",
        }
        for rank, (item, distance) in enumerate(zip(items, distances[order], strict=True), 1)
    ]


def draw(run, info, image, pixels, found):
    """Draws the query and the nearest images into the run's figures.

    Args:
        run: the `Run`.
        info: `DatasetInfo` of its data set.
        image: path of the query's file.
        pixels: the query as `search` returned it.
        found: what it found.

    Returns:
        Path of the PNG file.
    """
    images = item_images(info, [result["item"] for result in found], run.experiment.data.turns)
    results = {
        result["rank"]: Retrieved(images[result["item"]], result["class"], result["distance"]) for result in found[:10]
    }
    figure = gallery_figure([GalleryRow(colours(pixels, info), image.name, results)], ranks=tuple(results))
    run.figures.mkdir(exist_ok=True)
    path = run.figures / f"query-{image.stem}.png"
    figure.savefig(path, dpi=120)
    return path
