"""Build the cross-source deep hashing network (SIDHCNN): a network for each of two sources, one code space."""

from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from keras_dhnn.backend import build_optimizer, fit_as_built, gradients_of, scaling_loss
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.losses.balance import balance
from keras_dhnn.losses.pairwise import pairwise_likelihood
from keras_dhnn.losses.quantization import quantization, signs
from keras_dhnn.losses.similarity import label_similarity
from keras_dhnn.losses.sum_of_terms import sum_of_terms
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.dual_bank import DualBank
from keras_dhnn.models.global_batch import global_batch
from keras_dhnn.models.hashing_network import HashingNetwork, check_choices, images_and_targets

TERMS = ("inter_source", "intra_source", "quantization", "balance")


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class SIDHCNN(HashingNetwork):
    """Turn dual samples, two images of the same ground, into hash outputs that compare across sources (SIDHCNN eq. 5).

    A functional model from `{source: (B, H, W, C)}` to `{source: (B, l)}` float32. Codes are the outputs' signs.

    Args:
        branches: two models `DHNN` of as many bits, each with a source and a name of its own. In alternating updates
            the first is updated first.
    """

    def __init__(self, branches: Iterable[DHNN], **kwargs: Any):
        branches = list(branches)
        _check(branches)
        # === Functional Model ===
        inputs: dict[str, tf.Tensor] = {}
        outputs: dict[str, tf.Tensor] = {}
        for branch in branches:
            images = inputs[branch.source] = tf.keras.Input(branch.backbone.input_shape[1:], name=branch.source)
            outputs |= branch({branch.source: images})
        super().__init__(inputs, outputs, **kwargs)

        # === Config ===
        self.branches = {branch.source: branch for branch in branches}
        self.sources = tuple(self.branches)
        self.bits = branches[0].bits

    def compile(
        self,
        optimizers: Mapping[str, tf.keras.optimizers.Optimizer],
        *,
        similarity_factor: float = 0.5,
        penalty: float | None = None,
        alpha: float = 1.0,
        beta: float = 0.1,
        gamma: float = 0.0,
        norm: str = "l2",
        pair_weighting: str = "mean",
        bank: DualBank | None = None,
        **kwargs: Any,
    ) -> None:
        """Set the objective: `inter_source + alpha * intra_source + beta * quantization + gamma * balance`.

        Args:
            optimizers: `{source: Keras optimiser}`, one a branch.
            similarity_factor: s, of the penalty `P = s * l`.
            penalty: P itself, instead of `similarity_factor`; the paper's is 2.
            alpha: weight of the pairs within each source (IASC).
            beta: weight of the distance from the common codes (BQC).
            gamma: weight of the balance of bits (FDC).
            norm: "l2", the paper's, or "l1": of the quantisation loss.
            pair_weighting: "mean" or "balanced", see `pairwise_likelihood`.
            bank: a `DualBank` of all training items, by which one branch after the other is updated against what the
                items' features were last (Algorithm 1). Without one, both are updated at once on the batch's pairs.
            **kwargs: of `tf.keras.Model.compile`, e.g. `steps_per_execution`.

        Raises:
            SettingError: if a source has no optimiser; for a bank under a strategy of several replicas; or if there is
                no such norm or pair weighting.
        """
        check_choices(norm, pair_weighting)
        self._check_optimizers(optimizers)
        replicas = self.distribute_strategy.num_replicas_in_sync
        if bank is not None and replicas > 1:
            raise SettingError(
                invalid("argument `bank`", "None under a strategy of several replicas", bank, replicas=replicas)
            )
        # Keras 3 takes one optimiser, not a dictionary; the branches' own make the steps.
        super().compile(optimizer="sgd", **{"jit_compile": False, **kwargs})
        fit_as_built(self)
        self.optimizers = {source: scaling_loss(optimizer, self) for source, optimizer in optimizers.items()}
        for source, optimizer in self.optimizers.items():
            # Inside of `switch_case` their variables would be made empty.
            build_optimizer(optimizer, self.branches[source].trainable_weights)
        self.penalty = similarity_factor * self.bits if penalty is None else penalty
        self.weights_of_terms = dict(zip(TERMS, (1.0, alpha, beta, gamma), strict=True))
        self.norm = norm
        self.pair_weighting = pair_weighting
        self.bank = bank
        self._log(("loss", *TERMS))

    def _check_optimizers(self, optimizers):
        if not isinstance(optimizers, Mapping) or set(optimizers) != set(self.sources):
            expected = f"a dictionary of one for each source: {', '.join(self.sources)}"
            received = list(optimizers) if isinstance(optimizers, Mapping) else type(optimizers).__name__
            raise SettingError(invalid("argument `optimizers`", expected, received))

    @property
    def parts(self) -> dict[str, DHNN]:
        """Return what the network is made of, by name."""
        return {f"branch_{source}": branch for source, branch in self.branches.items()}

    def training_state(self) -> dict[str, Any]:
        """Return what a checkpoint of its training holds, by name; no property, see `DHNN.training_state`."""
        optimizers = tf.train.Checkpoint(**self.optimizers)
        return {**self.parts, "optimizer": optimizers, **({} if self.bank is None else {"bank": self.bank})}

    def objective(self, outputs: Mapping[str, tf.Tensor], labels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the terms of the loss of a batch of dual samples, paired among themselves.

        Args:
            outputs: `{source: (n, l)}` float32.
            labels: `(n,)` integers.

        Returns:
            Dictionary of the scalars `TERMS`, not weighted.
        """
        first, second = (outputs[source] for source in self.sources)
        similarity, codes = label_similarity(labels, labels), signs(first + second)
        return {
            "inter_source": self._pairs(similarity, first, second),
            "intra_source": self._pairs(similarity, first, first) + self._pairs(similarity, second, second),
            "quantization": quantization(first, self.norm, codes) + quantization(second, self.norm, codes),
            "balance": balance(first) + balance(second),
        }

    def branch_objective(
        self, source: str, outputs: tf.Tensor, targets: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Return the terms of one branch's loss against the bank, whose rows are constants.

        Args:
            source: of the branch.
            outputs: `(n, l)` float32, of its images; their rows in the bank are up to date.
            targets: `{"label": (n,), "index": (n,)}`.

        Returns:
            As of `objective`.

        Raises:
            SettingError: if there is no bank.
        """
        if self.bank is None:
            raise SettingError(invalid("argument `bank`", "a `DualBank`, given to `compile`", None))
        other = next(name for name in self.sources if name != source)
        own, others = self.bank.rows[source], self.bank.rows[other]
        similarity = label_similarity(targets["label"], tf.cast(self.bank.labels, targets["label"].dtype))
        codes = tf.gather(self.bank.codes, own.places(targets["index"]))
        return {
            "inter_source": self._pairs(similarity, outputs, others.outputs),
            "intra_source": self._pairs(similarity, outputs, own.outputs),
            "quantization": quantization(outputs, self.norm, codes),
            "balance": balance(outputs, tf.reduce_mean(own.outputs, axis=0)),
        }

    def train_step(self, data: tuple[Mapping[str, tf.Tensor], Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Make one gradient step on `({source: images}, {"label": (n,), "index": (n,)})`, and return the running means.

        Without a bank it steps both branches, with one that whose turn it is. Under `tf.distribute` the data are a
        replica's, and the step is that of the batch of all replicas.
        """
        images, targets = images_and_targets(data)
        if self.bank is None:
            return self._track(*self._joint_step(images, targets))
        steps = [lambda source=source: self._branch_step(source, images, targets) for source in self.sources]
        return self._track(*tf.switch_case(self.bank.next_turn(), steps))

    def _joint_step(self, images, targets):
        with tf.GradientTape(persistent=True) as tape:
            terms = self.objective(*self._global_batch(self(images, training=True), targets))
            loss = self._total(terms, self.losses)
            # Every replica has all that layers add, and their gradients are summed.
            own = self._total(terms, [added / self.distribute_strategy.num_replicas_in_sync for added in self.losses])
        # All before the first step.
        steps = [(source, self._gradients(source, own, tape)) for source in self.sources]
        for source, gradients in steps:
            self.optimizers[source].apply_gradients(gradients)
        return loss, terms

    def _branch_step(self, source, images, targets):
        branch = self.branches[source]
        with tf.GradientTape() as tape:
            outputs = branch({source: images[source]}, training=True)[source]
            self.bank.rows[source].refresh(targets["index"], outputs)
            terms = self.branch_objective(source, outputs, targets)
            loss = self._total(terms, branch.losses)
        self.optimizers[source].apply_gradients(self._gradients(source, loss, tape))
        return loss, terms

    def _gradients(self, source, loss, tape):
        """Return pairs of a gradient and a weight of a branch."""
        weights = self.branches[source].trainable_weights
        return list(zip(gradients_of(loss, weights, tape, self.optimizers[source]), weights, strict=True))

    def test_step(self, data: tuple[Mapping[str, tf.Tensor], Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Return the losses of a batch, of all replicas' too, without a step."""
        images, targets = images_and_targets(data)
        terms = self.objective(*self._global_batch(self(images, training=False), targets))
        return self._track(self._total(terms, self.losses), terms)

    def _global_batch(self, outputs, targets):
        """Return the outputs and the labels of all replicas, see `global_batch`."""
        joined, targets = global_batch(tf.concat([outputs[source] for source in self.sources], axis=1), targets)
        return dict(zip(self.sources, tf.split(joined, 2, axis=1), strict=True)), targets["label"]

    def _pairs(self, similarity, rows, columns):
        return pairwise_likelihood(similarity, rows, columns, self.penalty, self.pair_weighting)

    def _total(self, terms, regularization):
        # What layers add, such as weight decay, is trained on and logged as part of the loss.
        return sum_of_terms([weight * terms[name] for name, weight in self.weights_of_terms.items()] + regularization)

    def above(self, cuts: Mapping[str, str]) -> tuple[dict[str, tf.keras.Model], "SIDHCNN"]:
        """Return this network from a cut through each branch upwards, sharing its layers.

        Args:
            cuts: `{source: cut}`, see `DHNN.above`.

        Returns:
            `(below, above)`: `{source: model}` from images to the cuts, and a SIDHCNN from the cuts to hash outputs.
            Training the second trains this network.
        """
        parts = {source: branch.above(cuts[source]) for source, branch in self.branches.items()}
        below = {source: part for source, (part, _) in parts.items()}
        return below, SIDHCNN([branch for _, branch in parts.values()], name=f"{self.name}_above")

    def get_config(self) -> dict[str, Any]:
        branches = [tf.keras.utils.serialize_keras_object(branch) for branch in self.branches.values()]
        return {"branches": branches, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> "SIDHCNN":
        branches = [tf.keras.utils.deserialize_keras_object(one, custom_objects) for one in config["branches"]]
        return cls(branches, name=config["name"])


def _check(branches):
    expected = "two DHNNs of different sources and of as many bits"
    if not all(isinstance(branch, DHNN) for branch in branches):
        raise SettingError(invalid("argument `branches`", expected, [type(branch).__name__ for branch in branches]))
    sources, bits = [branch.source for branch in branches], {branch.bits for branch in branches}
    if len(set(sources)) != 2 or len(branches) != 2 or len(bits) != 1:
        raise SettingError(invalid("argument `branches`", expected, sources=sources, bits=sorted(bits)))
