"""Fit an experiment: one function, used by the fit, tune, ablate and benchmark commands alike."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_dhnn.backend import starts_steps_together
from keras_dhnn.config import OF_PAIRS, Experiment
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.files import refuse_links
from keras_dhnn.machine import give_memory_back
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.dual_bank import DualBank
from keras_dhnn.models.feature_bank import FeatureBank
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.sources import image_sizes
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.graph_errors import as_raised
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.runtimes.encoder import tensorflow_batch
from keras_dhnn.training.callbacks.collapse import CollapseGuard, advice
from keras_dhnn.training.callbacks.epoch_seeds import EpochSeeds
from keras_dhnn.training.callbacks.progress import ProgressBar
from keras_dhnn.training.callbacks.resumable import ResumableState
from keras_dhnn.training.callbacks.snapshots import Snapshots
from keras_dhnn.training.callbacks.tensorboard import TensorBoardLog
from keras_dhnn.training.callbacks.validation import ValidationMAP, tolerance_of
from keras_dhnn.training.distribution import distribute, is_chief
from keras_dhnn.training.encode import make_encoder
from keras_dhnn.training.guided_start import is_guided, start_at_centres
from keras_dhnn.training.network import PHASES, Network
from keras_dhnn.training.optimizers import make_optimizer
from keras_dhnn.training.pairs import Learned, check_labels, learn_pairs, needs_pairs
from keras_dhnn.training.query_turns import check_query_turns, turned_queries
from keras_dhnn.training.validation_items import validation_items

SNAPSHOT_ITEMS = 1000
# Steps of heads that are started together at most; the progress bar moves once for them.
MOST_STEPS_TOGETHER = 64


@dataclass
class Trained:
    """Describe what training leaves.

    Attributes:
        model: the `DHNN`, or of two sources the `SIDHCNN`, with the weights of the best validated epoch of the last
            phase.
        outputs: `{source: (n, l)}` float32, hash outputs of all items, of queries by `model.query_turns`; None if they
            were not asked for.
        untrained: `{source: (n, l)}` float32, the same before the first step.
        features: `{source: (n, d)}` float32, the frozen backbones' features that heads were trained on.
        history: `{phase: {name: [value of each epoch]}}`.
        learned: `Learned`, what was gone by where labels are missing or several; None where each image has one.
    """

    model: DHNN | SIDHCNN
    outputs: dict | None
    untrained: dict | None
    features: dict
    history: dict
    learned: Learned | None = None


@as_raised()
def train(
    experiment: Experiment,
    info: DatasetInfo,
    split: Split,
    folder: Path,
    *,
    tensorboard: Path | None = None,
    snapshots: Path | None = None,
    bar: Bar = no_bar,
    strategy: tf.distribute.Strategy | None = None,
    epochs: int | None = None,
    outputs: bool = True,
) -> Trained:
    """Train a DHNN, or of two sources a SIDHCNN, on the database of a split.

    Continues where an earlier call in the same folder was killed.

    First the head alone, on features that the frozen backbone computes once, then everything above a cut through
    the backbone. Each phase ends with the weights of its best epoch by validation mAP; with those of its last one, if
    nothing is held out for validation or labels are missing.

    Args:
        experiment: the `Experiment`.
        info: `DatasetInfo` of the prepared data set.
        split: the `Split`; its queries are not used.
        folder: where the resumable state is kept.
        tensorboard: folder for event files; None writes none.
        snapshots: folder for the outputs of some items at a few epochs of the first phase; None writes none.
        bar: context manager factory `bar(description, total, unit)` whose value is `update(done, note)`.
        strategy: `tf.distribute.Strategy` that the gradient steps are spread by; None: one device. All processes call
            this alike, and end with the same weights; only the chief writes states.
        epochs: pause after so many epochs, counted over the phases; a later call in the same folder continues, and
            learning rates decay as if there were no pause. None trains to the end.
        outputs: whether to encode all items, before and after.

    Returns:
        `Trained`.

    Raises:
        CollapseError: if the loss is not finite or all codes become one.
        SettingError: for settings that the network or the data do not allow.
    """
    if experiment.data.validation and not len(split.validation) and info.known.all():
        raise SettingError(_nothing_held_out(experiment, split))
    phases = [name for name in PHASES if getattr(experiment, name).epochs]
    if not phases:
        raise SettingError(
            "Nothing would be trained: head.epochs and fine_tune.epochs are both 0. Expected epochs of at least one of "
            "them, such as --set head.epochs=40."
        )
    tf.keras.utils.set_random_seed(experiment.seed)
    check_query_turns(experiment, image_sizes(experiment.data, info))
    network = Network(experiment, info, split.database, bar, strategy)
    learned = _learn(network, split) if needs_pairs(info) else None
    network.pairs = learned and learned.pairs
    everything = np.arange(len(network.labels))
    refuse_links(folder.parent, folder)
    cuts = [getattr(experiment, name).cut for name in phases]
    # Others that train along write nothing; they encode into folders of their own, which go.
    kept = folder / "outputs" if is_chief(network.strategy) else None
    untrained = network.encode(cuts[0], everything, "Codes before training", kept) if outputs else None
    history = {}
    for name in phases:
        last = getattr(experiment, name).epochs
        if epochs is not None:
            last, epochs = min(last, epochs), max(0, epochs - last)
        if last:
            logs = tensorboard / name if tensorboard else None
            phase = _Phase(name, last, folder / name, logs, snapshots if name == phases[0] else None)
            history[name] = _train_phase(network, split, phase)
            # Its pipeline holds activations, in cycles.
            give_memory_back()
    if experiment.training.precision != "float32":
        network = _in_float32(network, split.database)
    trained = network.encode(cuts[-1], everything, "Codes after training", kept) if outputs else None
    if kept is not None:
        shutil.rmtree(kept, ignore_errors=True)
    if outputs and experiment.model.query_turns > 1:
        untrained, trained = (_each(turned_queries, of_all, split) for of_all in (untrained, trained))
    return Trained(network.model, trained, untrained, network.features, history, learned)


def _each(change, outputs, split):
    return {source: change(of_source, split) for source, of_source in outputs.items()}


def _learn(network, split):
    """Return what training goes by where labels are missing or several."""
    check_labels(network.experiment, network.info)
    features = None if network.info.known.all() else network.frozen_features()
    return learn_pairs(network.info, features, split, network.experiment.seed)


def _nothing_held_out(experiment, split):
    """Return the message where no class can spare an image for validation; a larger share would not change that."""
    groups = "" if experiment.data.groups is None and experiment.data.group_pattern is None else " or groups"
    return (
        "The epoch that is kept is picked by items held out of the database, and there are none: no class has enough "
        f"images{groups} to be a query, to be found, and to be held out ({len(split.queries)} items are queries, "
        f"{len(split.database)} are the database). What helps: more images of each class (three at least), fewer "
        f"classes, or training without validation, whose last epoch is kept: --set data.validation=0"
    )


def _in_float32(network, database):
    """Return the same weights in a network that computes in float32: what is saved, loaded and served."""
    experiment = network.experiment.override("training.precision=float32")
    exact = Network(experiment, network.info, database, network.bar, network.strategy)
    exact.model.set_weights(network.model.get_weights())
    return exact


class _Phase(NamedTuple):
    """Describe a phase: its name, how many epochs there are when it ends or pauses, and where is kept what it leaves.

    Attributes:
        name: "head" or "fine_tune".
        last: number of epochs.
        folder: of its resumable state.
        logs: folder for event files, or None.
        snapshots: folder for outputs of some items, or None.
    """

    name: str
    last: int
    folder: Path
    logs: Path | None
    snapshots: Path | None


def _train_phase(network, split, phase):
    """Train a network from where the phase's state is, and return the phase's history."""
    experiment, settings = network.experiment, getattr(network.experiment, phase.name)
    model, make_batches = network.above(settings.cut)
    strategy = network.strategy
    replicas = strategy.num_replicas_in_sync
    batch_size = min(experiment.training.batch_size, len(split.fitting) // replicas * replicas)
    # Of alternating updates an epoch is an outer iteration: a pass for each network.
    passes = len(network.branches) if _alternating(network) else 1
    steps = passes * (len(split.fitting) // batch_size)
    with strategy.scope():
        compile_phase(model, network, split.fitting, phase.name, steps // passes * settings.epochs, steps // passes)
    encode = make_encoder(model)
    validation = _validation(network, split, encode, make_batches, model, settings.epochs)
    state = ResumableState(phase.folder, validation, writes=is_chief(strategy))
    first = state.restore(model)
    if first == 0:
        _begin(network, split, phase, model, make_batches)
    # Phases see different orders, and drop different units.
    seed = 2 * experiment.seed + PHASES.index(phase.name)
    callbacks = [*_callbacks(network, split, phase, state, encode, make_batches, model), EpochSeeds(seed)]
    with network.bar(f"Training ({phase.name.replace('_', ' ')})", steps * phase.last, "step") as update:
        if first is not None and first < phase.last:
            data = distribute(
                strategy,
                make_batches,
                split.fitting,
                batch_size=batch_size,
                seed=seed,
                epochs=range(passes * first, passes * phase.last),
                drop_remainder=True,
            )
            model.fit(
                data,
                epochs=phase.last,
                initial_epoch=first,
                steps_per_epoch=steps,
                callbacks=[*callbacks, ProgressBar(update, steps)],
                verbose=0,
                # The batches are in their order already; Keras 3 warns unless it is told.
                shuffle=False,
            )
    history = _validated(state.history, validation) if len(validation.queries) else state.history
    if validation.best_weights is not None:
        model.set_weights(validation.best_weights)
    return history


def _begin(network, split, phase, model, make_batches):
    """Do what comes before a phase's first step."""
    experiment = network.experiment
    if phase.name == _first_phase(experiment) and is_guided(experiment.model, network.info):
        branches = [model] if isinstance(model, DHNN) else list(model.branches.values())
        start_at_centres(branches, make_batches, split.fitting, network.labels)
    if _alternating(network):
        cut = getattr(experiment, phase.name).cut
        model.bank.fill(network.encode(cut, split.fitting, "Features before training"))


def _callbacks(network, split, phase, state, encode, make_batches, model):
    """Return a phase's callbacks, its state after those whose work it keeps."""
    validation, factor = state.validation, "beta" if len(network.branches) > 1 else "eta"
    callbacks = [validation, CollapseGuard(advice(network.experiment, phase.name, factor), state.history)]
    if phase.snapshots:
        callbacks.append(_snapshots(phase.snapshots, network, split, encode, make_batches, model))
    if phase.logs:
        callbacks.append(TensorBoardLog(phase.logs, validation))
    return [*callbacks, state]


def _validated(history, validation):
    """Return a phase's history with a validation of its last epoch.

    Where training pauses between two validations, it is measured here, and the state on disk knows nothing of it: so
    training that goes on is as if there had been no pause.
    """
    epochs = len(history["loss"])
    if history.get("val_map" if len(validation.queries) else "distinct_codes", [None])[-1] is not None:
        return history
    measured = validation.measure()
    earlier = {name: history.get(name, [None] * epochs)[:-1] for name in measured}
    return history | {name: [*earlier[name], value] for name, value in measured.items()}


def _first_phase(experiment):
    return next(name for name in PHASES if getattr(experiment, name).epochs)


def _snapshots(folder, network, split, encode, make_batches, model):
    """Return a callback that keeps the outputs of some items that are trained on: up to 100 of each class, as in the
    paper, and no more in all than t-SNE is drawn of.
    """
    random, labels = np.random.default_rng(split.seed), network.labels[split.fitting]
    of_classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    each = min(SNAPSHOT_ITEMS // len(of_classes), 100)
    chosen = [random.choice(places, min(each, len(places)), replace=False) for places in of_classes]
    items = split.fitting[np.sort(np.concatenate(chosen))]
    return Snapshots(folder, lambda: encode(make_batches(items, batch_size=_encode_batch(model))), items)


def _alternating(network):
    return network.experiment.training.update == "alternating" and len(network.branches) > 1


def compile_phase(
    model: DHNN | SIDHCNN, network: Network, items: np.ndarray, name: str, steps: int, steps_of_pass: int | None = None
) -> None:
    """Compile a network above a cut with the experiment's objective and a phase's optimiser, one for each branch.

    Args:
        model: the `DHNN` or `SIDHCNN` above the phase's cut.
        network: the `Network`.
        items: `(k,)` item numbers that it will be trained on.
        name: of the phase, "head" or "fine_tune".
        steps: gradient steps of the phase, of each branch.
        steps_of_pass: of alternating updates, gradient steps of one branch before it is the other's turn; None: all.

    Raises:
        SettingError: for settings of the loss that do not go with the network.
    """
    loss, training = network.experiment.loss, network.experiment.training
    phase, labels = getattr(network.experiment, name), network.labels[items]
    how: dict[str, Any] = {
        "similarity_factor": loss.similarity_factor,
        "penalty": loss.penalty,
        "norm": loss.quantization,
        "pair_weighting": loss.pair_weighting,
    }
    if isinstance(model, DHNN):
        if loss.pairs == "memory" and loss.objective not in OF_PAIRS:
            raise SettingError(
                invalid("setting `loss.pairs`", f"batch for loss.objective={loss.objective}", loss.pairs)
            )
        if loss.classification:
            model.classify(len(network.info.classes))
        model.compile(
            make_optimizer(training.optimizer, phase, model, steps),
            eta=loss.eta,
            objective=loss.objective,
            margin=loss.margin,
            classes=len(network.info.classes),
            classification=loss.classification,
            bank=FeatureBank(items, labels, model.bits) if loss.pairs == "memory" else None,
            steps_per_execution=_steps_per_execution([model], steps_of_pass or steps),
            pairs=network.pairs,
            **how,
        )
        return
    if loss.pairs == "memory":
        expected = "batch for two image sources; pairs with all items come by training.update=alternating"
        raise SettingError(invalid("setting `loss.pairs`", expected, loss.pairs))
    branches, turn = model.branches, steps_of_pass or steps
    model.compile(
        {source: make_optimizer(training.optimizer, phase, branch, steps) for source, branch in branches.items()},
        alpha=loss.alpha,
        beta=loss.beta,
        gamma=loss.gamma,
        bank=DualBank(model.sources, items, labels, model.bits, turn) if _alternating(network) else None,
        steps_per_execution=_steps_per_execution(branches.values(), turn),
        **how,
    )


def _steps_per_execution(branches, steps):
    """Return how many steps are started together: a step of heads alone takes less time than starting it.

    It divides the steps of an epoch, since Keras 3 does not cut at an epoch's end: it would take the next epoch's
    batches, and train nothing in later epochs.
    """
    heads_alone = not any(branch.backbone.trainable_weights for branch in branches)
    if not heads_alone or not all(starts_steps_together(branch.distribute_strategy) for branch in branches):
        return 1
    return max(number for number in range(1, MOST_STEPS_TOGETHER + 1) if steps % number == 0)


def _validation(network, split, encode, make_batches, model, epochs):
    training = network.experiment.training
    items = validation_items(split)
    held_out = np.isin(items, split.validation)
    images = len(np.unique(split.items.image(split.validation)))
    # Made once: each making traces what reads a batch.
    seen = make_batches(items, batch_size=_encode_batch(model))
    return ValidationMAP(
        lambda: encode(seen),
        _labels_to_score(network, items),
        np.flatnonzero(held_out),
        np.flatnonzero(~held_out),
        epochs,
        every=training.validate_every,
        patience=training.patience,
        tolerance=tolerance_of(images),
    )


def _labels_to_score(network, items):
    """Return the labels of items: `(k,)`, or where images have several `(k, c)` of 0 and 1."""
    sets, images = network.info.label_sets, Items(network.experiment.data.turns).image(items)
    return network.labels[items] if sets is None else sets.sets[images].astype(np.uint8)


def _encode_batch(model):
    return min(tensorflow_batch(tuple(image.shape[1:])) for image in tf.nest.flatten(model.input))
