"""Build EfficientNet-Lite: small ImageNet networks that a CPU runs well, the default backbones."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf


class EfficientNetLite(tf.keras.Model):
    """Turn images into pooled features: EfficientNet without squeeze-and-excitation, with ReLU6 (Tan and Le, 2019).

    Takes `(B, H, W, C)` float32 pixels in 0..255 and returns `(B, d)` float32. The normalisation,
    `(x - 127) / 128`, is inside. The outputs of its layers `stage1` to `stage7` and `features` are places to cut.

    Features are means over the image at several depths, the deepest last. What ImageNet's classes need, at the top,
    is not all that land cover is told by; docs/measurements/ucmd.md has the measurements.

    Args:
        input_shape: height, width and bands of the images.
        stem: filters of the first convolution.
        stages: `(repeats, kernel, stride, expansion, filters)` of each stage; None: `STAGES`, the published ones.
        head: filters of the last convolution.
        pooled: which outputs are averaged into the features: names of stages, and "head"; None: `POOLED`.
    """

    STAGES: tuple[tuple[int, ...], ...] = ()
    POOLED: tuple[str, ...] = ("stage3", "stage4", "stage5", "stage6", "stage7", "head")

    def __init__(
        self,
        input_shape: Sequence[int] = (224, 224, 3),
        stem: int = 32,
        stages: Sequence[Sequence[int]] | None = None,
        head: int = 1280,
        pooled: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        stages = self.STAGES if stages is None else stages
        pooled = self.POOLED if pooled is None else pooled

        # === Functional Model ===
        images = tf.keras.Input(input_shape, name="images")
        x = tf.keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(images)
        x = _convolution(x, stem, 3, 2, "stem")
        levels, block = {}, 0
        for number, (repeats, kernel, stride, expansion, filters) in enumerate(stages, 1):
            for repeat in range(repeats):
                x = _inverted_residual(x, kernel, stride if repeat == 0 else 1, expansion, filters, f"block{block}")
                block += 1
            x = levels[f"stage{number}"] = tf.keras.layers.Activation("linear", name=f"stage{number}")(x)
        levels["head"] = _convolution(x, head, 1, 1, "head")
        means = [tf.keras.layers.GlobalAveragePooling2D(name=f"mean_{level}")(levels[level]) for level in pooled]
        features = tf.keras.layers.Concatenate(name="features")(means) if len(means) > 1 else means[0]
        super().__init__(images, features, **kwargs)

        # === Config ===
        self.image_shape = tuple(input_shape)
        self.stem = stem
        self.stages = tuple(tuple(stage) for stage in stages)
        self.head = head
        self.pooled = tuple(pooled)

    def get_config(self) -> dict[str, Any]:
        return {
            "input_shape": self.image_shape,
            "stem": self.stem,
            "stages": self.stages,
            "head": self.head,
            "pooled": self.pooled,
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> "EfficientNetLite":
        return cls(**config)


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class EfficientNetLite0(EfficientNetLite):
    """Build the smallest one, see `EfficientNetLite`: 4.7 million parameters with its classifier."""

    STAGES = (
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    )
    # Fewer than of the others: runs and archives of this network are older than they.
    POOLED = ("stage5", "stage7", "head")


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class EfficientNetLite1(EfficientNetLite):
    """Build a deeper one, see `EfficientNetLite`: 5.4 million parameters with its classifier."""

    STAGES = (
        (1, 3, 1, 1, 16),
        (3, 3, 2, 6, 24),
        (3, 5, 2, 6, 40),
        (4, 3, 2, 6, 80),
        (4, 5, 1, 6, 112),
        (5, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    )


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class EfficientNetLite2(EfficientNetLite):
    """Build one as deep and wider, see `EfficientNetLite`: 6.1 million parameters with its classifier."""

    STAGES = (
        (1, 3, 1, 1, 16),
        (3, 3, 2, 6, 24),
        (3, 5, 2, 6, 48),
        (4, 3, 2, 6, 88),
        (4, 5, 1, 6, 120),
        (5, 5, 2, 6, 208),
        (1, 3, 1, 6, 352),
    )


def _convolution(x, filters, kernel, stride, name):
    x = tf.keras.layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=f"{name}_conv")(x)
    x = tf.keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    return tf.keras.layers.ReLU(6.0, name=f"{name}_relu")(x)


def _inverted_residual(inputs, kernel, stride, expansion, filters, name):
    x = inputs
    if expansion != 1:
        x = _convolution(x, expansion * inputs.shape[-1], 1, 1, f"{name}_expand")
    x = tf.keras.layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = tf.keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_depthwise_bn")(x)
    x = tf.keras.layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = tf.keras.layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = tf.keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_project_bn")(x)
    if stride == 1 and filters == inputs.shape[-1]:
        x = tf.keras.layers.Add(name=f"{name}_add")([inputs, x])
    return x
