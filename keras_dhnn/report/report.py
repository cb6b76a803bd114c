"""Draw the figures of a run, as PNG files and in TensorBoard."""

import contextlib
import io
import logging
import shlex
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike
from PIL import Image
from tensorboard.plugins.image.metadata import create_summary_metadata

from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.errors import DataError
from keras_dhnn.evaluation.scores import Evaluation, relevant
from keras_dhnn.files import may_write, refuse_links, whole_file
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.sources import main_tasks, task_name
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import colours, read_images
from keras_dhnn.report.afterwards import alone
from keras_dhnn.report.figures.embedding import embedding_figure, embedding_panels
from keras_dhnn.report.figures.gallery import RANKS, GalleryRow, Retrieved, gallery_figure
from keras_dhnn.report.figures.health import health_figure
from keras_dhnn.report.figures.precision_recall import precision_recall_figure
from keras_dhnn.report.figures.raster import figure_to_array
from keras_dhnn.report.projector import write_projector
from keras_dhnn.report.tsne import MOST_ITEMS, project, sample
from keras_dhnn.runs import Run
from keras_dhnn.training.callbacks.snapshots import load_snapshots
from keras_dhnn.training.callbacks.tensorboard import write_health

GALLERY_QUERIES = 5
DPI = 120
_LOG = logging.getLogger(__name__)


def write_report(
    run: Run,
    info: DatasetInfo,
    split: Split,
    outputs: Mapping[str, np.ndarray],
    evaluations: Sequence[Evaluation],
    metrics: Mapping[str, Any],
    *,
    tsne: bool = False,
) -> None:
    """Draw precision-recall curves, retrieval galleries and the health of the codes, and write the projector's files.

    What TensorBoard shows of an earlier evaluation is replaced. Whatever cannot be made is said in a line, and the rest
    is made all the same; of a run that may not be written, or has links in their place, nothing is.

    Args:
        run: the `Run`; its `figures` and `tensorboard` folders are written to.
        info: `DatasetInfo` of its data set.
        split: its `Split`.
        outputs: `{source: (n, l)}` real, hash outputs of all items.
        evaluations: their `Evaluation`s, one a task; none where no label is known.
        metrics: the scores of all, as `evaluate_all` gives them.
        tsne: whether to draw the queries' codes in the plane too, which takes a minute.
    """
    closed = [place for place in (run.path, run.figures, run.tensorboard) if place.exists() and not may_write(place)]
    if closed:
        _LOG.warning("%s cannot be written: figures and TensorBoard's page are left as they are.", closed[0])
        return
    try:
        refuse_links(run.path, run.figures, run.tensorboard)
    except DataError as error:
        _LOG.warning("%s Figures and TensorBoard's page are left as they are.", error)
        return
    figures = _figures(info, split, outputs, evaluations, _title(metrics))
    if tsne:
        figures |= _tsne_figures(run, info, split, outputs, metrics)
    remedy = f"Scores and codes are there; draw it later: keras-dhnn evaluate {shlex.quote(str(run.path))}"
    folder, pictures = run.tensorboard / "evaluation", {}
    for name, draw in figures.items():
        with alone(f"The figure {name} of {run.path}", remedy):
            pictures[name] = _write_figure(draw(), run.figures / f"{name}.png")
    with alone(f"TensorBoard's page of {run.path}", remedy):
        shutil.rmtree(folder, ignore_errors=True)
        _write_board(folder, pictures, evaluations, metrics, len(outputs), _epochs(run))
    for evaluation in evaluations[-len(outputs) :]:
        source = evaluation.task[1]
        place = folder / source if len(outputs) > 1 else folder
        with alone(f"TensorBoard's projector of {run.path}", remedy):
            write_projector(place, info, split.database, outputs[source], split.turns, source=source)


def _write_figure(figure, path):
    """Write a PNG file whole or not at all, and return (width, height, bytes of the file)."""
    path.parent.mkdir(exist_ok=True)
    figure.set_dpi(DPI)
    # Drawn once: `savefig` draws it twice. Encoded once, and TensorBoard gets the same bytes; level 6 would take twice
    # as long for 2 % smaller galleries.
    picture, encoded = Image.fromarray(figure_to_array(figure)), io.BytesIO()
    picture.save(encoded, format="png", dpi=(DPI, DPI), compress_level=3)
    with whole_file(path) as file:
        file.write(encoded.getbuffer())
    return *picture.size, encoded.getvalue()


def _write_board(folder, pictures, evaluations, metrics, sources, step):
    with _board(folder, step):
        for name, (width, height, encoded) in pictures.items():
            # What `tf.summary.image` writes, had it not to encode the picture again.
            tensor = tf.constant([str(width).encode(), str(height).encode(), encoded])
            tf.summary.write(name, tensor, metadata=create_summary_metadata(display_name=None, description=None))
        if evaluations:
            tf.summary.scalar("map", metrics["map"]["expected"])
            for k, value in metrics["precision_at"].items():
                tf.summary.scalar(f"precision_at/{k}", value)
        for evaluation in evaluations if len(evaluations) > 1 else ():
            tf.summary.scalar(f"map/{_file_name(evaluation)}", evaluation.metrics["map"]["expected"])
        if sources == 1 and evaluations:
            write_health(evaluations[-1].health)
    for evaluation in evaluations[-sources:] if sources > 1 else ():
        with _board(folder / evaluation.task[1], step):
            write_health(evaluation.health)


@contextlib.contextmanager
def _board(folder, step):
    """Give a page of TensorBoard to write to."""
    writer = tf.summary.create_file_writer(str(folder))
    try:
        with writer.as_default(step=step):
            yield
    finally:
        writer.close()


def _file_name(evaluation):
    return "-to-".join(evaluation.task)


def _epochs(run):
    """Return the epochs of the run's longest phase: where its final scores stand beside the curves of training."""
    return max((len(values) for phase in run.history.values() for values in phase.values()), default=0)


def _title(metrics):
    synthetic = ", synthetic" if metrics["synthetic"] else ""
    return f"{metrics['data']}{synthetic}, {metrics['protocol']}, {metrics['bits']} bits"


def _figures(info, split, outputs, evaluations, title):
    """Return {name: function that draws the Figure}."""
    sources = len(outputs)
    if not evaluations:
        return {"gallery": partial(_unscored_gallery_figure, info, split, outputs, title)}
    figures = {"precision-recall": partial(_curves_figure, evaluations, title)}
    for evaluation in evaluations[: len(main_tasks(tuple(outputs)))]:
        which = f"-{_file_name(evaluation)}" if len(evaluations) > 1 else ""
        direction = f", {task_name(evaluation.task)}" if which else ""
        figures[f"gallery{which}"] = partial(
            _gallery_figure, info, split, evaluation, f"{title}{direction}; last: the hardest query"
        )
    for evaluation in evaluations[-sources:]:
        source = evaluation.task[1]
        figures[f"code-health-{source}" if sources > 1 else "code-health"] = partial(
            health_figure,
            evaluation.health,
            counts=evaluation.counts,
            outputs=outputs[source][split.database],
            title=title,
        )
    return figures


def _curves_figure(evaluations, title):
    curves = {}
    for evaluation in evaluations:
        precision, recall = precision_recall_curve(evaluation.counts)
        which = f"{task_name(evaluation.task)}, " if len(evaluations) > 1 else ""
        curves[f"{which}mAP {evaluation.metrics['map']['expected']:.4f}"] = recall, precision
    return precision_recall_figure(curves, title)


def _gallery_figure(info, split, evaluation, title):
    return gallery_figure(_gallery(info, split, evaluation), title=title)


def _tsne_figures(run, info, split, outputs, metrics):
    """Return {name: function that draws the Figure}."""
    snapshots = load_snapshots(run.snapshots)
    of_training = {"tsne-training": partial(_training_figure, info, split, snapshots, metrics)} if snapshots else {}
    return {"tsne": partial(_tsne_figure, info, split, outputs, metrics), **of_training}


def _tsne_figure(info, split, outputs, metrics):
    items = sample(split.queries, metrics["seed"], MOST_ITEMS // len(outputs))
    chosen = {source: of_source[items] for source, of_source in outputs.items()}
    title = f"{_title(metrics)}: codes of {len(items):,} queries by t-SNE; equal ones form a disc"
    points, labels, groups = _embed(info, split, items, chosen, metrics["seed"])
    return embedding_figure(points, labels, info.classes, title, groups)


def _training_figure(info, split, snapshots, metrics):
    """Return SIDHCNN Fig. 5: items that are trained on, before the first step and after some epochs."""
    panels = {
        f"T = {epochs}": _embed(info, split, items, outputs, metrics["seed"])
        for epochs, (items, outputs) in snapshots.items()
    }
    return embedding_panels(panels, info.classes, f"{_title(metrics)}: codes of training items after T epochs")


def _embed(info, split, items, outputs, seed):
    """Return (points, labels, groups) of the outputs `{source: (n, l)}` of items `(n,)`; groups are the sources of
    each.
    """
    points = project(np.concatenate(list(outputs.values())), seed)
    labels = np.tile(info.true_labels[split.items.image(items)], len(outputs))
    return points, labels, np.repeat(tuple(outputs), len(items)) if len(outputs) > 1 else None


def item_images(info: DatasetInfo, items: ArrayLike, turns: int, source: str | None = None) -> dict[int, np.ndarray]:
    """Return images of virtual items, as `figures.gallery` shows them.

    Args:
        info: `DatasetInfo`.
        items: item numbers.
        turns: quarter turns a stored image.
        source: of the images, see `read_images`.

    Returns:
        `{item: (H, W, C) array}`, of more than three bands the red, green and blue ones.
    """
    items = np.unique(items)
    numbers, places = np.unique(Items(turns).image(items), return_inverse=True)
    images = [colours(image, info, source) for _, image in read_images(info, numbers, source)]
    return {int(item): Items(turns).view(images[place], item) for item, place in zip(items, places, strict=True)}


def _gallery(info, split, evaluation):
    """Return rows of some random queries, each of another class, and of the one with the lowest average precision."""
    random, labels = np.random.default_rng(0), split.items.spread(info.true_labels)
    _, firsts = np.unique(labels[split.queries], return_index=True)
    chosen = np.sort(random.permutation(firsts)[:GALLERY_QUERIES])
    rows = np.append(chosen, evaluation.scores.per_query.argmin())
    return _gallery_rows(info, split, rows, evaluation.codes[0][rows], evaluation.codes[1], evaluation.task)


def _unscored_gallery_figure(info, split, outputs, title):
    """Return some random queries and what they find, where nobody knows what is right."""
    ((source, of_source),) = outputs.items()
    rows = np.sort(np.random.default_rng(0).permutation(len(split.queries))[:GALLERY_QUERIES])
    codes = pack(of_source[split.queries[rows]]), pack(of_source[split.database])
    return gallery_figure(_gallery_rows(info, split, rows, *codes, (source, source)), title=title)


def _gallery_rows(info, split, rows, searching_codes, searched_codes, task):
    distances = hamming_distances(searching_codes, searched_codes)
    found = np.argsort(distances, axis=1, kind="stable")
    shown = [rank for rank in RANKS if rank <= found.shape[1]]
    found = split.database[found[:, np.array(shown) - 1]]
    queries = item_images(info, split.queries[rows], split.turns, task[0])
    images = item_images(info, found.ravel(), split.turns, task[1])
    distances = np.sort(distances, axis=1)[:, np.array(shown) - 1]
    names = {item: info.classes[info.true_labels[split.items.image(item)]] for item in (*queries, *images)}
    return [
        GalleryRow(
            queries[query],
            names[query],
            {
                rank: Retrieved(images[item], names[item], distance, _right(info, split.items, query, item))
                for rank, item, distance in zip(shown, items, row, strict=True)
            },
        )
        for query, items, row in zip(split.queries[rows], found, distances, strict=True)
    ]


def _right(info, items, query, item):
    """Return whether an item is relevant to a query; None if that is not known."""
    known = info.truly_known[items.image(np.array([query, item]))].all()
    return bool(relevant(info, items, query, item)) if known else None
