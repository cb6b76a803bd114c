"""The one file that imports tensorflow-addons, so that leaving it for Keras 3 touches one file.

`pipelines` may import this module although it otherwise sees only `config`: rotation is an image operation.
"""

import math
import warnings

import tensorflow as tf

with warnings.catch_warnings():
    # It announces its end of life at every import; we know, and pin the last version.
    warnings.filterwarnings("ignore", message=r"\s*TensorFlow Addons \(TFA\) has ended", category=UserWarning)
    import tensorflow_addons as tfa


def rotate(images, angles):
    """Images turned about their centre, bilinear; what comes in at the corners is the image mirrored at its edges.

    Args:
        images: `(H, W, C)` or `(n, H, W, C)` float32.
        angles: degrees, counter-clockwise; a scalar, or `(n,)`.

    Returns:
        float32, as `images`.
    """
    turned = tfa.image.rotate(images, angles * (math.pi / 180), interpolation="bilinear", fill_mode="reflect")
    return tf.ensure_shape(turned, images.shape)


class _MultiOptimizer(tfa.optimizers.MultiOptimizer):
    """tensorflow-addons', which keeps the gradients in an attribute: replicas overwrite each other's there."""

    def apply_gradients(self, grads_and_vars, **kwargs):
        pairs = list(grads_and_vars)
        updates = [
            spec["optimizer"].apply_gradients([pair for pair in pairs if pair[1].name in spec["weights"]], **kwargs)
            for spec in self.optimizer_specs
        ]
        with tf.control_dependencies([tf.group(updates)]):
            return self.iterations.assign_add(1, read_value=False)


def multi_optimizer(pairs):
    """One optimizer for layers that learn at different rates.

    Weights that no pair names are not trained. The layers must be built. `tf.train.Checkpoint` holds its whole
    state and continues exactly; a `.keras` file does not hold the inner optimizers' moments.

    Args:
        pairs: list of (optimizer, layer or list of layers).

    Returns:
        A `tfa.optimizers.MultiOptimizer`.

    Raises:
        ValueError: if a layer is not built or has no weights, or two weights have one name: they are told apart by
            name, so a weight would be stepped twice.
    """
    names = []
    for _, layers in pairs:
        layers = layers if isinstance(layers, list) else [layers]
        own = [weight.name for layer in layers for weight in layer.weights]
        if not own:
            raise ValueError(
                "Invalid value received for argument `pairs`. Expected built layers with weights. "
                f"Received: {', '.join(layer.name for layer in layers) or 'no layer'}"
            )
        names += own
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            "Invalid value received for argument `pairs`. Expected every weight once, with a name of its own. "
            f"Received: {', '.join(repeated)} more than once"
        )
    optimizer = _MultiOptimizer(list(pairs))
    for number, (inner, _) in enumerate(pairs):
        # MultiOptimizer does not: without this a checkpoint has neither the moments nor the schedules' steps.
        optimizer._track_trackable(inner, f"optimizer_{number}")
    for each in (optimizer, *(inner for inner, _ in pairs)):
        each.iterations  # noqa: B018 - makes the variable here, not inside of the first training step
    return optimizer
