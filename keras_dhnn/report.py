"""The figures of a run, as PNG files and in TensorBoard."""

import json
import shutil

import numpy as np
import tensorflow as tf

from keras_dhnn.callbacks.tensorboard import write_health
from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.figures.embedding import embedding_figure
from keras_dhnn.figures.gallery import RANKS, GalleryRow, Retrieved, gallery_figure
from keras_dhnn.figures.health import health_figure
from keras_dhnn.figures.precision_recall import precision_recall_figure
from keras_dhnn.figures.raster import figure_to_array
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.projector import write_projector
from keras_dhnn.stored_images import colours, read_images
from keras_dhnn.tsne import project, sample

GALLERY_QUERIES = 5


def write_report(run, info, split, outputs, evaluation, *, tsne=False):
    """Draws the precision-recall curve, a retrieval gallery and the health of the codes; writes the projector's files.

    What TensorBoard shows of an earlier evaluation is replaced.

    Args:
        run: the `Run`; its `figures` and `tensorboard` folders are written to.
        info: `DatasetInfo` of its data set.
        split: its `Split`.
        outputs: `(n, l)` real, hash outputs of all items.
        evaluation: their `Evaluation`.
        tsne: whether to draw the queries' codes in the plane too, which takes a minute.
    """
    figures = _figures(info, split, outputs, evaluation)
    if tsne:
        figures["tsne"] = _tsne_figure(info, split, outputs, evaluation.metrics)
    run.figures.mkdir(exist_ok=True)
    folder = run.tensorboard / "evaluation"
    shutil.rmtree(folder, ignore_errors=True)
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=_epochs(run)):
        for name, figure in figures.items():
            figure.savefig(run.figures / f"{name}.png", dpi=120)
            tf.summary.image(name, figure_to_array(figure)[None])
        tf.summary.scalar("map", evaluation.metrics["map"]["expected"])
        for k, value in evaluation.metrics["precision_at"].items():
            tf.summary.scalar(f"precision_at/{k}", value)
        write_health(evaluation.health)
    writer.close()
    write_projector(folder, info, split.database, outputs, split.turns)


def _epochs(run):
    """Epochs of the run's longest phase: where its final scores stand beside the curves of training."""
    phases = json.loads(run.history_path.read_text()).values()
    return max((len(values) for phase in phases for values in phase.values()), default=0)


def _title(metrics):
    synthetic = ", synthetic" if metrics["synthetic"] else ""
    return f"{metrics['data']}{synthetic}, {metrics['protocol']}, {metrics['bits']} bits"


def _figures(info, split, outputs, evaluation):
    """{name: Figure}."""
    metrics, title = evaluation.metrics, _title(evaluation.metrics)
    precision, recall = precision_recall_curve(evaluation.counts)
    name = f"mAP {metrics['map']['expected']:.4f}"
    return {
        "precision-recall": precision_recall_figure({name: (recall, precision)}, title),
        "gallery": gallery_figure(
            _gallery(info, split, outputs, evaluation), title=f"{title}; last: the hardest query"
        ),
        "code-health": health_figure(
            evaluation.health, counts=evaluation.counts, outputs=outputs[split.database], title=title
        ),
    }


def _tsne_figure(info, split, outputs, metrics):
    items = sample(split.queries, metrics["seed"])
    points, labels = project(outputs[items], metrics["seed"]), info.true_labels[items // split.turns]
    title = f"{_title(metrics)}: codes of {len(items):,} queries by t-SNE; equal ones form a disc"
    return embedding_figure(points, labels, info.classes, title)


def item_images(info, items, turns):
    """Images of virtual items, as `figures.gallery` shows them.

    Args:
        info: `DatasetInfo`.
        items: item numbers.
        turns: quarter turns a stored image.

    Returns:
        `{item: (H, W, C) array}` of the first source, of more than three bands the red, green and blue ones.
    """
    items = np.unique(items)
    numbers, places = np.unique(items // turns, return_inverse=True)
    images = [colours(image, info) for _, image in read_images(info, numbers)]
    return {int(item): np.rot90(images[place], item % turns) for item, place in zip(items, places, strict=True)}


def _gallery(info, split, outputs, evaluation):
    """Rows of some random queries, each of another class, and of the one with the lowest average precision."""
    random, codes, labels = np.random.default_rng(0), pack(outputs), np.repeat(info.true_labels, split.turns)
    _, firsts = np.unique(labels[split.queries], return_index=True)
    chosen = np.sort(random.permutation(firsts)[:GALLERY_QUERIES])
    rows = np.append(chosen, evaluation.scores.per_query.argmin())
    distances = hamming_distances(codes[split.queries[rows]], codes[split.database])
    found = np.argsort(distances, axis=1, kind="stable")
    shown = [rank for rank in RANKS if rank <= found.shape[1]]
    found = split.database[found[:, np.array(shown) - 1]]
    images = item_images(info, np.concatenate([split.queries[rows], found.ravel()]), split.turns)
    distances = np.sort(distances, axis=1)[:, np.array(shown) - 1]
    return [
        GalleryRow(
            images[query],
            info.classes[labels[query]],
            {
                rank: Retrieved(images[item], info.classes[labels[item]], distance, labels[item] == labels[query])
                for rank, item, distance in zip(shown, items, row, strict=True)
            },
        )
        for query, items, row in zip(split.queries[rows], found, distances, strict=True)
    ]
