"""Build the uni-source deep hashing network (DHNN): one image source, one code space."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

import keras_dhnn.models.backbones.build  # noqa: F401 - Keras 3 finds what a file names among what has been imported
from keras_dhnn.backend import build_optimizer, fit_as_built, gradients_of
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.losses.centres import hash_centres
from keras_dhnn.losses.classification import classification
from keras_dhnn.losses.objectives import OF_CENTRES, OF_DISTANCES, objective_of
from keras_dhnn.losses.quantization import quantization
from keras_dhnn.losses.similarity import label_similarity
from keras_dhnn.losses.sum_of_terms import sum_of_terms
from keras_dhnn.models import band_statistics
from keras_dhnn.models.backbones import side_by_side
from keras_dhnn.models.band_scaling import BandScaling
from keras_dhnn.models.feature_bank import FeatureBank
from keras_dhnn.models.global_batch import global_batch
from keras_dhnn.models.hashing_network import HashingNetwork, check_choices, images_and_targets


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class DHNN(HashingNetwork):
    """Turn images into hash outputs, trained by the pairwise likelihood and the quantisation loss (DHNN eqs. 3, 5).

    A functional model from `{source: (B, H, W, C)}` to `{source: (B, l)}` float32. Codes are the outputs' signs.

    Args:
        backbone: model from images to `(B, d)` features (or from a cut through a backbone: see `above`).
        head: model from features to `(B, l)` outputs, see `hash_head`.
        source: name of the image source.
    """

    def __init__(self, backbone: tf.keras.Model, head: tf.keras.Model, source: str = "image", **kwargs: Any):
        # === Functional Model ===
        images = tf.keras.Input(backbone.input_shape[1:], name=source)
        outputs = head(backbone(images))
        super().__init__({source: images}, {source: outputs}, **kwargs)

        # === Config ===
        self.backbone = backbone
        self.head = head
        self.source = source
        self.bits = head.output_shape[-1]
        self.classifier: tf.keras.layers.Layer | None = None

    def classify(self, classes: int) -> None:
        """Add a linear layer from hash outputs to `classes` logits, for `compile(classification=...)`."""
        self.classifier = tf.keras.layers.Dense(int(classes), name="classifier", dtype="float32")
        self.classifier.build((None, self.bits))

    def plain(self) -> tf.keras.Model:
        """Return the network as a functional model from images to hash outputs, a tensor each.

        It is no property, since Keras saves what the attributes of a model hold.
        """
        return tf.keras.Model(self.input[self.source], self.output[self.source], name=f"plain_{self.name}")

    def compile(
        self,
        optimizer: tf.keras.optimizers.Optimizer,
        *,
        similarity_factor: float = 0.5,
        penalty: float | None = None,
        eta: float = 0.1,
        norm: str = "l2",
        pair_weighting: str = "mean",
        objective: str = "likelihood",
        margin: float | None = None,
        classes: int | None = None,
        classification: float = 0.0,
        bank: FeatureBank | None = None,
        pairs: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor | None]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Set the objective: `mean pairwise loss + eta * mean quantisation loss + classification * cross-entropy`.

        Args:
            optimizer: a Keras optimiser.
            similarity_factor: s, of the penalty `P = s * l`.
            penalty: P itself, instead of `similarity_factor`.
            eta: weight of the quantisation loss.
            norm: "l1" (DHNNs-L1) or "l2" (DHNNs-L2).
            pair_weighting: "mean" or "balanced", see `pair_mean`.
            objective: instead of the pairwise likelihood, see `losses.objectives`.
            margin: of some objectives, see there.
            classes: number C of classes, for objectives of class centres.
            classification: weight of what tells the class from the outputs, by the layer that `classify` adds.
            bank: a `FeatureBank` whose rows the batch is paired with; without one, it is paired with itself.
            pairs: says which pairs are similar instead of the batch's labels: `pairs(rows, columns)` of item numbers
                `(n,)` and `(m,)` returns theta and weights, `(n, m)` float32 each; see `training.pairs`.
            **kwargs: of `tf.keras.Model.compile`, e.g. `steps_per_execution`.

        Raises:
            SettingError: if what another argument needs is missing: classes, or the layer that `classify` adds; or
                there is no such norm, pair weighting or objective.
        """
        check_choices(norm, pair_weighting)
        if classification and self.classifier is None:
            raise SettingError(invalid("argument `classification`", "0 before `classify` was called", classification))
        # Keras 3 turns XLA on by itself where there is a GPU; on CPUs it is 1.5 to 7 times slower here.
        super().compile(optimizer=optimizer, **{"jit_compile": False, **kwargs})
        build_optimizer(self.optimizer, self.trainable_weights)
        fit_as_built(self)
        penalty = similarity_factor * self.bits if penalty is None else penalty
        self.of_labels = objective_of(
            objective,
            bits=self.bits,
            penalty=penalty,
            pair_weighting=pair_weighting,
            margin=margin,
            centres=_centres_of(objective, classes, self.bits),
        )
        self.eta = eta
        self.norm = norm
        self.classification = classification
        self.bank = bank
        self.only_seen = bank is not None and objective in OF_DISTANCES
        self.pairs = pairs
        self._log(("loss", "pairwise", "quantization", *(("classification",) if classification else ())))

    @property
    def parts(self) -> dict[str, tf.keras.layers.Layer]:
        """Return what the network is made of, by name."""
        parts = {"backbone": self.backbone, "head": self.head}
        return parts if self.classifier is None else parts | {"classifier": self.classifier}

    def training_state(self) -> dict[str, Any]:
        """Return what a checkpoint of its training holds, by name.

        It is no property, as `plain` is none: Keras 2 would find the weights here first, of compiled models alone.
        """
        # Not the metrics, which start anew with every epoch: to read them, all processes must take part.
        return {**self.parts, "optimizer": self.optimizer, **({} if self.bank is None else {"bank": self.bank})}

    def objective(self, outputs: tf.Tensor, targets: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return the parts of the loss of a batch.

        Args:
            outputs: `(n, l)` float32.
            targets: `label`, `(n,)` integers; with a bank or `pairs` also `index`, `(n,)` item numbers.

        Returns:
            Dictionary of the scalars `pairwise`, `quantization` and, with a weight, `classification`; see `total`.
        """
        others = outputs if self.bank is None else self.bank.outputs
        parts = {
            "pairwise": self.of_labels(targets["label"], outputs, others, *self._similarity(targets)),
            "quantization": quantization(outputs, self.norm),
        }
        if self.classification and self.classifier is not None:
            parts["classification"] = classification(targets["label"], self.classifier(outputs))
        return parts

    def total(self, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return the parts of `objective` by their weights."""
        terms = [parts["pairwise"], self.eta * parts["quantization"]]
        return sum_of_terms(terms + ([self.classification * parts["classification"]] if self.classification else []))

    def _similarity(self, targets):
        """Return the theta of the batch and the bank, or of the batch with itself, and the pairs' weights or None."""
        if self.pairs is not None:
            others = targets["index"] if self.bank is None else self.bank.items
            similarity, weights = self.pairs(targets["index"], others)
        else:
            labels = targets["label"]
            others = labels if self.bank is None else tf.cast(self.bank.labels, labels.dtype)
            similarity, weights = label_similarity(labels, others), None
        if self.only_seen:
            weights = self.bank.seen() * (tf.ones_like(similarity) if weights is None else weights)
        return similarity, weights

    def train_step(self, data: tuple[Mapping[str, tf.Tensor], Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Make one gradient step on `({source: images}, {"label": (n,), "index": (n,)})`, and return the running means.

        Under `tf.distribute` the data are a replica's, and the step is that of the batch of all replicas.
        """
        images, targets = images_and_targets(data)
        with tf.GradientTape() as tape:
            outputs, targets = global_batch(self(images, training=True)[self.source], targets)
            if self.bank is not None:
                self.bank.refresh(targets["index"], outputs)
            parts = self.objective(outputs, targets)
            # What layers add, such as weight decay, is trained on and logged as part of the loss. Every replica has
            # all of it, and their gradients are summed.
            added = sum_of_terms([*self.losses, 0.0])
            objective = self.total(parts)
            own = objective + added / self.distribute_strategy.num_replicas_in_sync
        weights = self.trainable_weights
        gradients = gradients_of(own, weights, tape, self.optimizer)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return self._track(sum_of_terms([objective, added]), parts)

    def test_step(self, data: tuple[Mapping[str, tf.Tensor], Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Return the losses of a batch, of all replicas' too, without a step."""
        images, targets = images_and_targets(data)
        parts = self.objective(*global_batch(self(images, training=False)[self.source], targets))
        return self._track(sum_of_terms([self.total(parts), *self.losses]), parts)

    def above(self, cut: str) -> tuple[tf.keras.Model, "DHNN"]:
        """Return this network from a cut upwards, sharing its layers.

        Args:
            cut: a layer of the backbone whose output is the cut, "features" (all of it lies below), or "images".

        Returns:
            `(below, above)`: a model from images to the cut, and a DHNN from the cut to hash outputs. Training the
            second trains this network.
        """
        below, upper = cut_backbone(self.backbone, cut)
        above = DHNN(upper, self.head, self.source, name=f"{self.name}_above_{cut}")
        above.classifier = self.classifier
        return below, above

    def get_config(self) -> dict[str, Any]:
        return {
            "backbone": tf.keras.utils.serialize_keras_object(self.backbone),
            "head": tf.keras.utils.serialize_keras_object(self.head),
            "source": self.source,
            "name": self.name,
            "classes": None if self.classifier is None else self.classifier.units,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> "DHNN":
        config = dict(config)
        # Files of before do not say.
        classes = config.pop("classes", None)
        for part in ("backbone", "head"):
            config[part] = tf.keras.utils.deserialize_keras_object(config[part], custom_objects)
        model = cls(**config)
        if classes is not None:
            model.classify(classes)
        return model


def _centres_of(objective, classes, bits):
    """Return a code for each class, where an objective has such; else None."""
    if objective not in OF_CENTRES:
        return None
    if classes is None:
        raise SettingError(invalid("argument `classes`", f"the number of classes, for objective={objective}", None))
    return hash_centres(classes, bits)


def cut_backbone(backbone: tf.keras.Model, cut: str) -> tuple[tf.keras.Model, tf.keras.Model]:
    """Return two models that share a functional backbone's layers: below a cut through it, and above.

    Args:
        backbone: functional model with one input and one output.
        cut: name of the layer whose output is the cut; "images" is the input, "features" the output.

    Returns:
        `(below, above)`.

    Raises:
        SettingError: if there is no such layer, or other paths lead past it, as those of `BandStatistics` or of
            another network do.
    """
    if isinstance(backbone.layers[1], BandScaling) and cut != "images":
        _, scaling, scaled = backbone.layers
        below, above = cut_backbone(scaled, cut)
        return tf.keras.Model(backbone.input, below(scaling(backbone.input)), name=below.name), above
    for why in (band_statistics.why_whole(backbone), side_by_side.why_whole(backbone)):
        if why and cut not in band_statistics.CUTS:
            raise SettingError(invalid("setting `cut`", f"images or features, since {why}", cut))
    names = {"images": backbone.input, "features": backbone.output}
    names.update({layer.name: layer.output for layer in backbone.layers if layer.name not in names})
    if cut not in names:
        stages = [name for name in names if name.startswith("stage")] or list(names)[2:]
        raise SettingError(
            invalid(
                "argument `cut`",
                f"images, features or a layer of the backbone {backbone.name!r}: {', '.join(stages)}",
                cut,
            )
        )
    tensor = names[cut]
    below = tf.keras.Model(backbone.input, tensor, name=f"below_{cut}")
    if cut == "features":
        inputs = tf.keras.Input(tensor.shape[1:], name="features")
        return below, tf.keras.Model(inputs, tf.keras.layers.Activation("linear")(inputs), name="above_features")
    try:
        above = tf.keras.Model(tensor, backbone.output, name=f"above_{cut}")
    except ValueError as error:
        raise SettingError(
            invalid(
                "argument `cut`",
                f"a layer that every path through the backbone {backbone.name!r} goes through",
                cut,
            )
        ) from error
    return below, above


def below_cuts(backbone: tf.keras.Model, cuts: Sequence[str]) -> tf.keras.Model:
    """Return one model from images to the outputs at several cuts through a backbone, which computes nothing twice.

    Args:
        backbone: as of `cut_backbone`.
        cuts: as of it, but not "images"; one or several.

    Returns:
        Functional model with a list of outputs, one a cut.
    """
    if isinstance(backbone.layers[1], BandScaling):
        _, scaling, scaled = backbone.layers
        outputs = below_cuts(scaled, cuts)(scaling(backbone.input))
        return tf.keras.Model(backbone.input, tf.nest.flatten(outputs), name="below_cuts")
    outputs = [cut_backbone(backbone, cut)[0].output for cut in cuts]
    return tf.keras.Model(backbone.input, outputs, name="below_cuts")
