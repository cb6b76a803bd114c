"""A finished run with random networks, made in a second, and what its model answers in Python."""

import numpy as np

from keras_dhnn.codes import hamming_distances, pack, unpack
from keras_dhnn.config import Experiment
from keras_dhnn.evaluation.scores import evaluate_all
from keras_dhnn.files import write_json
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.hash_head import hash_head
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.models.weights_file import save_weights
from keras_dhnn.pipelines.batches import resize
from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.pipelines.splits import Split, make_split
from keras_dhnn.pipelines.store.stored_images import read_images
from keras_dhnn.runs import Run
from keras_dhnn.training.loading import load_model
from keras_dhnn.workflows.export import item_keys
from tests.fakes import tiny_backbone

BACKBONE = "model.backbone=tests.fakes:tiny_backbone"
SIDE = 12  # what the networks take; images are stored in other sizes


def write_run(folder, info, bits=16, seed=0, settings=()):
    """A finished `Run` on a data set of one or two sources."""
    experiment = Experiment().override(
        *(f"data.image_size={SIDE}", f"model.bits={bits}", f"data.name={info.name}", "model.hidden=0", BACKBONE),
        *settings,
    )
    run = Run.create(folder, experiment, info)
    split = make_split(info.labels, protocol="grouped", seed=seed, queries=0.25, validation=0.2)
    split.save(run.split_path)
    branches = [random_network(source, info.images[source].channels, bits, seed) for source in sources_of(info)]
    model = SIDHCNN(branches) if len(branches) > 1 else branches[0]
    save_weights(model, run.weights_path)
    outputs = {}
    for branch in branches:
        stored = np.stack([image for _, image in read_images(info, np.arange(info.count), branch.source)])
        turned = np.stack([np.rot90(stored[item // 4], item % 4) for item in range(4 * info.count)])
        outputs[branch.source] = hash_outputs(branch, turned)
    labels = np.repeat(info.true_labels, 4)
    write_json(run.metrics_path, evaluate_all(outputs, labels, split, info, seed)[1])
    run.save_outputs(outputs, labels)
    return run


def random_network(source, channels, bits, seed):
    """A small DHNN with random weights, whose bits are about as often 0 as 1."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    backbone = tiny_backbone((SIDE, SIDE, channels))
    noise = tf.random.uniform((64, SIDE, SIDE, channels), maxval=255)
    features = backbone(noise).numpy()
    head = hash_head(16, bits, mean=features.mean(0), variance=features.var(0) + 1e-3)
    return DHNN(backbone, head, source, name=f"{source}_network")


def hash_outputs(network, images):
    """`(n, l)` of images `(n, H, W, C)` of the stored size."""
    return network({network.source: resize(images, (SIDE, SIDE))})[network.source].numpy()


def expected(run, info, images, k, class_name=None, task=None, ordered=False):
    """What an export of the run's database answers to images of the stored size: `{output: array}`.

    With `class_name`, of the items of this class alone, without the empty columns behind them. Of two sources, `task`
    is (source of the images, source to search in). `ordered`: equal distances in the order of the images' real outputs.
    """
    model = load_model(run, info)
    source, searched = task or (None, None)
    outputs = hash_outputs(model.branches[source] if task else model, images)
    codes = pack(outputs)
    items = Split.load(run.split_path).database
    if class_name is not None:
        items = items[info.true_labels[items // 4] == info.classes.index(class_name)]
    stored = run.load_codes(searched)["codes"][items]
    distances = hamming_distances(codes, stored)
    scores = (outputs.astype(float) @ unpack(stored).T).round(9) if ordered else np.zeros_like(distances)
    order = np.lexsort([-scores, distances], axis=1)[:, :k]
    labels = info.labels[items // 4]
    return {
        "codes": codes,
        "ids": item_keys(info, items, 4)[order],
        "distances": np.take_along_axis(distances, order, 1),
        "labels": labels[order],
        "classes": np.array(info.classes)[labels[order]],
    }
