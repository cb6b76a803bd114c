"""Retrieve for one image file, by the codes of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.errors import SettingError
from keras_dhnn.files import refuse_links
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.pipelines.batches import resize
from keras_dhnn.pipelines.formats.image_file import read_image
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.sources import image_sizes, sources_of
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import colours
from keras_dhnn.report.afterwards import alone
from keras_dhnn.report.figures.gallery import GalleryRow, Retrieved, gallery_figure
from keras_dhnn.report.figures.saving import save_figure
from keras_dhnn.report.report import item_images
from keras_dhnn.runs import Run
from keras_dhnn.runtimes import Encoder
from keras_dhnn.training.loading import load_model
from keras_dhnn.training.query_turns import over_turns
from keras_dhnn.workflows.open_run import open_run


def query(
    run: Run | Path | str,
    image: Path | str,
    *,
    k: int = 10,
    source: str | None = None,
    target: str | None = None,
    class_name: str | None = None,
    data: Path | str = "data",
) -> dict[str, Any]:
    """Find the images in a run's database that are nearest to an image file, and draw them.

    Args:
        run: a finished `Run`, or its folder.
        image: path of an image file with as many bands as the data set's images.
        k: how many to find.
        source: what the image is, of a run with two sources.
        target: what is searched, of a run with two sources.
        class_name: of the only class of images to find, or None.
        data: folder of the prepared data sets.

    Returns:
        Dictionary for JSON: `query`, `results` as `search` returns them, and `figure`, the path of the PNG file, or
        None if it could not be drawn.

    Raises:
        RunError: if there is no such run, it is not finished, or it was made with other images.
        DataError: if the file is not such an image.
        SettingError: if a source is needed or is not there; or the database holds no such class.
    """
    run, info = open_run(run, data)
    image = Path(image)
    task = check_task(info, (source, target))
    pixels, found = search(run, info, image, k, task, class_name)
    figure = None
    with alone("The picture of the results", "They are printed all the same."):
        figure = str(draw(run, info, image, pixels, found, task))
    return {"query": str(image), "results": found, "figure": figure}


def search(
    run: Run,
    info: DatasetInfo,
    image: Path | str,
    k: int,
    task: tuple[str | None, str | None] | None = None,
    class_name: str | None = None,
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Return the items of a run's database that are nearest to an image file.

    Args:
        run: a finished `Run`.
        info: `DatasetInfo` of its data set.
        image: path of an image file with as many bands as the data set's images.
        k: how many to find.
        task: (source of the image, source to search in); of data sets with one source it need not be said.
        class_name: of the only class of items to find, or None.

    Returns:
        `(pixels, found)`: the image as prepared, and what `RunSearch.search` finds for it.

    Raises:
        DataError: if the file is not such an image.
        SettingError: if the task is of sources that there are not, or is needed; or the database holds no such class.
    """
    pixels = read_image(image, info.images[check_task(info, task)[0]])
    (found,) = RunSearch(run, info, task, class_name).search(pixels[None], k)
    return pixels, found


class RunSearch:
    """Describe the database of a run, ready to be searched by images.

    Args:
        run: a finished `Run`.
        info: `DatasetInfo` of its data set.
        task: (source of the images, source to search in); of data sets with one source it need not be said.
        class_name: of the only class of items to find, or None.
        count: how many images there will be, about.

    Attributes:
        spec: `ImageSpec` of the images that search.

    Raises:
        SettingError: if the task is of sources that there are not, or is needed; or the database holds no such class.
    """

    def __init__(
        self,
        run: Run,
        info: DatasetInfo,
        task: tuple[str | None, str | None] | None = None,
        class_name: str | None = None,
        count: int = 1,
    ):
        source, searched = check_task(info, task)
        self._info, self._turns = info, run.experiment.data.turns
        self.spec = info.images[source]
        self._size = image_sizes(run.experiment.data, info)[source]
        passes = run.experiment.model.query_turns
        encoder = Encoder(_branch(load_model(run, info), source).plain(), passes * count)
        self._outputs = over_turns(lambda images: encoder.encode(images)[0], passes)
        stored = run.load_codes(searched if len(sources_of(info)) > 1 else None)
        self._database = _of_class(Split.load(run.split_path).database, info, self._turns, class_name)
        self._codes = stored["codes"][self._database]

    def search(self, pixels: np.ndarray, k: int) -> list[list[dict[str, Any]]]:
        """Find the nearest items of some images.

        Args:
            pixels: `(B, H, W, C)`, as prepared.
            k: how many to find for each.

        Returns:
            A list an image of dictionaries `rank`, `item`, `distance`, `class`, `id` and `turned` (the quarter turns it
            is seen in), by distance, then item number.
        """
        codes = pack(np.asarray(self._outputs(resize(pixels, self._size))))
        return [self._nearest(distances, k) for distances in hamming_distances(codes, self._codes)]

    def _nearest(self, distances, k):
        order = np.argsort(distances, kind="stable")[:k]
        items, numbered, info = self._database[order], Items(self._turns), self._info
        return [
            {
                "rank": rank,
                "item": int(item),
                "distance": int(distance),
                "class": info.classes[info.true_labels[numbered.image(item)]],
                "id": str(info.ids[numbered.image(item)]),
                "turned": f"turned {numbered.degrees(item)} degrees" if numbered.turn(item) else "",
            }
            for rank, (item, distance) in enumerate(zip(items, distances[order], strict=True), 1)
        ]


def _of_class(items, info, turns, class_name):
    """Return those of a class, or that have this label, or all."""
    if class_name is None:
        return items
    named = np.array([class_name in labels for labels in info.class_labels])
    if not named.any():
        # A whole set of labels, or what has none.
        named = np.array(info.classes) == class_name
    if not named.any():
        names = info.classes if info.label_sets is None else info.label_sets.classes
        raise SettingError(f"{info.name} has no class {class_name!r}. It has: {', '.join(names)}")
    of_class = items[named[info.true_labels[Items(turns).image(items)]]]
    if not len(of_class):
        raise SettingError(f"The run's database holds no image of class {class_name!r}.")
    return of_class


def check_task(info: DatasetInfo, task: tuple[str | None, str | None] | None = None) -> tuple[str, str]:
    """Return the (source of the image, source to search in) that a user named, each of which may be None.

    Raises:
        SettingError: if the data set has two sources and one is not named, or has none of that name.
    """
    sources = sources_of(info)
    only = sources[0] if len(sources) == 1 else None
    asked, searched = (name or only for name in task or (None, None))
    if asked not in sources or searched not in sources:
        how = f" Say what the image is and what to search in: --from {sources[0]} --to {sources[-1]}"
        raise SettingError(f"{info.name} has the image {_sources_in_words(sources)}.{how}")
    return asked, searched


def _sources_in_words(sources):
    return f"source {sources[0]}" if len(sources) == 1 else f"sources {' and '.join(sources)}"


def _branch(model, source):
    """Return the `DHNN` of one source."""
    return model.branches[source] if isinstance(model, SIDHCNN) else model


def draw(
    run: Run,
    info: DatasetInfo,
    image: Path,
    pixels: np.ndarray,
    found: Sequence[Mapping[str, Any]],
    task: tuple[str | None, str | None] | None = None,
) -> Path:
    """Draw the query and the nearest images into the run's figures.

    Args:
        run: the `Run`.
        info: `DatasetInfo` of its data set.
        image: path of the query's file.
        pixels: the query as `search` returned it.
        found: what it found.
        task: as of `search`.

    Returns:
        Path of the PNG file.
    """
    asked, searched = check_task(info, task)
    images = item_images(info, [result["item"] for result in found], run.experiment.data.turns, searched)
    results = {
        result["rank"]: Retrieved(images[result["item"]], result["class"], result["distance"]) for result in found[:10]
    }
    figure = gallery_figure([GalleryRow(colours(pixels, info, asked), image.name, results)], ranks=tuple(results))
    path = run.figures / f"query-{image.stem}.png"
    refuse_links(run.path, path)
    save_figure(figure, path, dpi=120)
    return path
