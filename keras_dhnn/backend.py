"""Ask which TensorFlow and Keras this is, in this file only, which is also the only one to import tensorflow-addons.

Two lanes, one code base. The owner's: TensorFlow 2.15 with Keras 2, where tensorflow-addons rotates and steps. The
newest: Keras 3, for which no tensorflow-addons exists; what we used of it stands here, with tensorflow-addons as its
oracle in the other lane (tests/test_backend.py).

`pipelines` may import this module although it otherwise sees only `config`: rotation is an image operation.
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import SettingError, invalid

# `ops` came with Keras 3.
NEWEST = hasattr(tf.keras, "ops")
KERAS = 3 if NEWEST else 2

if not NEWEST:
    with warnings.catch_warnings():
        # It announces its end of life at every import; we know, and pin the last version.
        warnings.filterwarnings("ignore", message=r"\s*TensorFlow Addons \(TFA\) has ended", category=UserWarning)
        import tensorflow_addons as tfa

# The legacy classes are the ones that tensorflow-addons' MultiOptimizer takes.
_optimizers = tf.keras.optimizers if NEWEST else tf.keras.optimizers.legacy
Adam, SGD = _optimizers.Adam, _optimizers.SGD


def rotate(images: tf.Tensor, angles: float | tf.Tensor) -> tf.Tensor:
    """Turn images about their centre, bilinearly; what comes in at the corners is the image mirrored at its edges.

    Args:
        images: `(H, W, C)` or `(n, H, W, C)` float32.
        angles: degrees, counter-clockwise; a scalar, or `(n,)`.

    Returns:
        float32, as `images`.
    """
    radians = angles * (math.pi / 180)
    if NEWEST:
        turned = rotate_by_projection(images, radians)
    else:
        turned = tfa.image.rotate(images, radians, interpolation="bilinear", fill_mode="reflect")
    return tf.ensure_shape(turned, images.shape)


def rotate_by_projection(images: tf.Tensor, radians: float | tf.Tensor) -> tf.Tensor:
    """Do what `rotate` says by TensorFlow's own operation, which takes from where each pixel of the result comes.

    Args:
        images: `(H, W, C)` or `(n, H, W, C)` float32.
        radians: counter-clockwise; a scalar, or `(n,)`.

    Returns:
        float32, as `images`.
    """
    batch = images if images.shape.rank == 4 else images[None]
    size = tf.shape(batch)[1:3]
    bottom, right = tf.unstack(tf.cast(size - 1, tf.float32))
    radians = tf.reshape(tf.convert_to_tensor(radians, tf.float32), [-1])
    cos, sin, zero = tf.cos(radians), tf.sin(radians), tf.zeros_like(radians)
    # The centre stays where it is.
    x = (right - (cos * right - sin * bottom)) / 2
    y = (bottom - (sin * right + cos * bottom)) / 2
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=batch,
        transforms=tf.stack([cos, -sin, x, sin, cos, y, zero, zero], axis=1),
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    return turned if images.shape.rank == 4 else turned[0]


def multi_optimizer(pairs: Sequence[tuple[Any, Any]]) -> Any:
    """Return one optimizer for layers that learn at different rates.

    Weights that no pair names are not trained. The layers must be built. `tf.train.Checkpoint` holds its whole
    state and continues exactly.

    Args:
        pairs: list of (optimizer, layer or list of layers).

    Returns:
        A `tfa.optimizers.MultiOptimizer`; in the newest lane a Keras optimizer that does the same.

    Raises:
        SettingError: if a layer is not built or has no weights, or a weight is in two pairs: it would be stepped twice.
    """
    pairs = [(inner, list(layers) if isinstance(layers, list | tuple) else [layers]) for inner, layers in pairs]
    _check_pairs(pairs)
    if NEWEST:
        return _PartsOptimizer(pairs)
    optimizer = _AddonsOptimizer([(inner, layers if len(layers) > 1 else layers[0]) for inner, layers in pairs])
    for number, (inner, _) in enumerate(pairs):
        # MultiOptimizer does not: without this a checkpoint has neither the moments nor the schedules' steps.
        optimizer._track_trackable(inner, f"optimizer_{number}")
    for each in (optimizer, *(inner for inner, _ in pairs)):
        build_optimizer(each, [])
    return optimizer


def fit_as_built(model: Any) -> None:
    """Keep `fit` from building a model that has all its variables, by a batch that it takes for that.

    Keras 3 does so under a strategy, and averages the batch over the replicas: across processes that ends in an error.

    Args:
        model: a Keras model that is compiled.
    """
    if NEWEST:
        model._maybe_symbolic_build = lambda **batch: None


def starts_steps_together(strategy: Any) -> bool:
    """Return whether `fit` can start several steps together (`steps_per_execution`) under a `tf.distribute` strategy.

    Of Keras 3 it ends in an error where there are several replicas, of whatever model.
    """
    return not NEWEST or strategy.num_replicas_in_sync == 1


def step_logs(results: dict[str, Any], strategy: Any) -> dict[str, Any]:
    """Return a step's results in the shape in which `fit` averages them over the replicas.

    Args:
        results: scalars by name, equal in all replicas.
        strategy: the model's `tf.distribute` strategy.

    Returns:
        They; of Keras 3 across processes each with an axis, over which it takes the mean.
    """
    if NEWEST and isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return {name: tf.reshape(value, [1]) for name, value in results.items()}
    return results


def build_optimizer(optimizer: Any, variables: Sequence[Any]) -> None:
    """Make an optimizer's own variables now, not inside of the first training step, and before a checkpoint is read.

    Args:
        optimizer: of either lane; in the owner's it makes the moments when it meets a weight or its checkpoint.
        variables: the weights that it will step.
    """
    if NEWEST:
        if not optimizer.built:
            optimizer.build(list(variables))
    else:
        optimizer.iterations  # noqa: B018 - makes the variable


def scaling_loss(optimizer: Any, model: Any) -> Any:
    """Return an optimizer as `compile` holds it: of a model that computes in float16 one that scales the loss.

    Args:
        optimizer: of either lane.
        model: the Keras model that it steps.
    """
    scaler = tf.keras.mixed_precision.LossScaleOptimizer
    if model.dtype_policy.name != "mixed_float16" or isinstance(optimizer, scaler):
        return optimizer
    return scaler(optimizer)


def gradients_of(loss: tf.Tensor, weights: Sequence[Any], tape: tf.GradientTape, optimizer: Any) -> list[Any]:
    """Return the gradients that an optimizer's `apply_gradients` expects of a scalar loss.

    Where it scales the loss, lest small gradients become zero in float16, that of Keras 3 divides them by its factor
    itself; that of Keras 2 does not.

    Args:
        loss: scalar, of the tape.
        weights: by which to differentiate.
        tape: a `tf.GradientTape`.
        optimizer: of either lane.
    """
    one = tf.ones_like(loss)
    if NEWEST:
        return tape.gradient(loss, weights, optimizer.scale_loss(one))
    if isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer):
        return optimizer.get_unscaled_gradients(tape.gradient(loss, weights, optimizer.get_scaled_loss(one)))
    return tape.gradient(loss, weights)


def reseed(model: Any, *numbers: int) -> None:
    """Begin what the random layers of a model (dropout, noise) draw anew, each of them otherwise.

    Of Keras 2 their draws are counted inside the graph by default, where nothing can set them back: from the first call
    on they come from a variable. Call it before the model is traced. Layers that draw without Keras's generators, such
    as a `Lambda` of `tf.random`, are not reached.

    Args:
        model: a Keras model.
        *numbers: at least 0, such as a seed and an epoch: the same ones begin the same draws.
    """
    with model.distribute_strategy.scope():
        starts = _random_starts(model)
    for number, start in enumerate(starts):
        # Of 31 bits, which the seeds of both lanes hold.
        start(int(np.random.SeedSequence([*numbers, number]).generate_state(1)[0]) >> 1)


def plain_variables(weights: Sequence[Any]) -> list[tf.Variable]:
    """Return TensorFlow's own variables, which a SavedModel holds, of a Keras model's weights."""
    return [weight.value if NEWEST else weight for weight in weights]


def weight_name(weight: Any) -> str:
    """Return the path of a weight, such as "dhnn/hash/kernel", for messages."""
    return weight.path if NEWEST else weight.name


def _random_starts(model):
    """Return a function of a seed for each generator of the random layers, which sets it."""
    if NEWEST:
        # So does Keras name the variable of a `SeedGenerator`: its seed, and how much was drawn.
        states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
        return [lambda seed, state=state: state.assign([seed, 0]) for state in states]
    held = [getattr(layer, "_random_generator", None) for layer in model._flatten_layers()]
    own = [one for one in held if hasattr(one, "make_legacy_seed")]
    for one in own:
        if one._rng_type == one.RNG_LEGACY_STATEFUL:
            one._rng_type, one._built = one.RNG_STATEFUL, False
        one._maybe_init()
    return [one._generator.reset_from_seed for one in own if one._rng_type == one.RNG_STATEFUL]


def _check_pairs(pairs):
    names = []
    for _, layers in pairs:
        # Keras 3 tells weights apart by identity; tensorflow-addons by name, so that no two may have one.
        own = [(id(weight) if NEWEST else None, weight_name(weight)) for layer in layers for weight in layer.weights]
        if not own:
            raise SettingError(
                invalid("argument `pairs`", "built layers with weights", ", ".join(layer.name for layer in layers))
            )
        names += own
    repeated = sorted({name for name in names if names.count(name) > 1}, key=lambda key: key[1])
    if repeated:
        expected, names = "every weight once, with a name of its own", [name for _, name in repeated]
        raise SettingError(invalid("argument `pairs`", expected, repeated=names))


if NEWEST:

    class _PartsOptimizer(tf.keras.optimizers.Optimizer):
        """Step the parts of a model by an optimizer each, with the weights that it steps.

        Keras's own MultiOptimizer leaves the inner optimizers out of checkpoints; attributes are in them.
        """

        def __init__(self, pairs: Sequence[tuple[Any, list[Any]]]):
            super().__init__(learning_rate=0.0, name="multi_optimizer")
            for number, (inner, _) in enumerate(pairs):
                setattr(self, f"optimizer_{number}", inner)
            self._numbers = {
                id(weight): number
                for number, (_, layers) in enumerate(pairs)
                for layer in layers
                for weight in layer.trainable_weights
            }
            self._inner = tuple(inner for inner, _ in pairs)
            own = [[w for layer in layers for w in layer.trainable_weights] for _, layers in pairs]
            for inner, weights in zip(self._inner, own, strict=True):
                build_optimizer(inner, weights)
            super().build([weight for weights in own for weight in weights])

        def apply(self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[Any] | None = None) -> None:
            parts: list[list] = [[] for _ in self._inner]
            for gradient, weight in zip(grads, trainable_variables or self._trainable_variables, strict=True):
                if id(weight) in self._numbers:
                    parts[self._numbers[id(weight)]].append((gradient, weight))
            for inner, part in zip(self._inner, parts, strict=True):
                if part:
                    inner.apply_gradients(part)
            self._iterations.assign_add(1)

else:

    class _AddonsOptimizer(tfa.optimizers.MultiOptimizer):
        """Replace tensorflow-addons', which keeps the gradients in an attribute: replicas overwrite each other's
        there.
        """

        def apply_gradients(
            self, grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]], **kwargs: Any
        ) -> tf.Operation:
            pairs = list(grads_and_vars)
            updates = [
                spec["optimizer"].apply_gradients([pair for pair in pairs if pair[1].name in spec["weights"]], **kwargs)
                for spec in self.optimizer_specs
            ]
            with tf.control_dependencies([tf.group(updates)]):
                return self.iterations.assign_add(1, read_value=False)


def litert_interpreter() -> Any:
    """Return the class that interprets flatbuffers, None if it is not installed.

    TensorFlow 2.15 contains it; of later ones it is the package `ai-edge-litert`.
    """
    if not NEWEST:
        return tf.lite.Interpreter
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        return None
    return Interpreter
