"""The figures of a run, as PNG files and in TensorBoard."""

import numpy as np
import tensorflow as tf

from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.figures.gallery import RANKS, GalleryRow, Retrieved, gallery_figure
from keras_dhnn.figures.health import health_figure
from keras_dhnn.figures.precision_recall import precision_recall_figure
from keras_dhnn.figures.raster import figure_to_array
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.pipelines.record_store import StreamedRecords

GALLERY_QUERIES = 5


def write_report(run, info, split, outputs, evaluation):
    """Draws the precision-recall curve, a retrieval gallery and the health of the codes.

    Args:
        run: the `Run`; its `figures` and `tensorboard` folders are written to.
        info: `DatasetInfo` of its data set.
        split: its `Split`.
        outputs: `(n, l)` real, hash outputs of all items.
        evaluation: their `Evaluation`.
    """
    metrics = evaluation.metrics
    synthetic = ", synthetic" if metrics["synthetic"] else ""
    title = f"{metrics['data']}{synthetic}, {metrics['protocol']}, {metrics['bits']} bits"
    precision, recall = precision_recall_curve(evaluation.counts)
    name = f"mAP {metrics['map']['expected']:.4f}"
    figures = {
        "precision-recall": precision_recall_figure({name: (recall, precision)}, title),
        "gallery": gallery_figure(
            _gallery(info, split, outputs, evaluation), title=f"{title}; last: the hardest query"
        ),
        "code-health": health_figure(
            evaluation.health, counts=evaluation.counts, outputs=outputs[split.database], title=title
        ),
    }
    run.figures.mkdir(exist_ok=True)
    writer = tf.summary.create_file_writer(str(run.tensorboard / "evaluation"))
    with writer.as_default(step=0):
        for name, figure in figures.items():
            figure.savefig(run.figures / f"{name}.png", dpi=120)
            tf.summary.image(name, figure_to_array(figure)[None])
        tf.summary.scalar("map", metrics["map"]["expected"])
    writer.close()


def item_images(info, items, turns):
    """Images of virtual items, as `figures.gallery` shows them.

    Args:
        info: `DatasetInfo`.
        items: item numbers.
        turns: quarter turns a stored image.

    Returns:
        `{item: (H, W, C) array}` of the first source.
    """
    items = np.unique(items)
    images = StreamedRecords(info).gather(tf.constant(items // turns))
    images = next(iter(images.values())).numpy()
    return {int(item): np.rot90(image, item % turns) for item, image in zip(items, images, strict=True)}


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
