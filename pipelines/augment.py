"""Change training images at random, but stateless: an item and a seed always give the same image."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_dhnn.config import Augmentation

# Images by source, and a function of those of one item and of a seed.
Images = dict[str, tf.Tensor]
Augment = Callable[[Images, tf.Tensor], Images]

# Grey of red, green and blue, as `tf.image.rgb_to_grayscale` weighs them.
LUMA = np.array([0.2989, 0.587, 0.114], np.float32)


def augmentation(config: Augmentation) -> Augment | None:
    """Return the augmentation that an experiment asks for.

    Args:
        config: `keras_dhnn.config.Augmentation`.

    Returns:
        None if everything is off, else `augment(images, seed)`: `images` is `{source: (H, W, C) float32, 0 to 255}`,
        `seed` is `(2,)` int32; returns the same structure, shapes and range. All sources of one item get the same
        geometry, relative to their size, and the same light, for they show the same ground at the same time.
        It runs eagerly and inside `tf.data`.

    Raises:
        SettingError: for a setting outside its bounds.
    """
    if not (config.flips or config.angles or config.colour or config.crop):
        return None

    def augment(images: Images, seed: tf.Tensor) -> Images:
        # One seed a purpose: switching one change on does not alter the draws of the others.
        flip, angle, colour, crop = tf.unstack(tf.random.split(seed, 4))
        if config.flips:
            images = _flip(images, flip)
        if config.angles:
            images = _rotate(images, angle, config.angles)
        if config.crop:
            images = _crop(images, crop, config.crop)
        if config.colour:
            images = _colour(images, colour, config.colour)
        return images

    return augment


def _flip(images, seed):
    """Mirror images left to right, every second time. With quarter turns this reaches all eight orientations."""
    mirrored = tf.random.stateless_uniform((), seed) < 0.5
    # Not `tf.where`, which broadcasts its condition and measured 4 to 8 times slower.
    return tf.cond(
        mirrored,
        lambda: {name: tf.reverse(image, [1]) for name, image in images.items()},
        lambda: {name: tf.identity(image) for name, image in images.items()},
    )


def _rotate(images, seed, largest):
    # Imported only where needed: it takes seconds.
    from keras_dhnn.backend import rotate

    angle = tf.random.stateless_uniform((), seed, -largest, largest)
    return {name: rotate(image, angle) for name, image in images.items()}


def _crop(images, seed, largest):
    """Return a square window of (1 - cut) of the side, cut drawn up to `largest`, at any place, resized to the
    whole.
    """
    cut, down, right = tf.unstack(tf.random.stateless_uniform((3,), seed))
    cut *= largest
    return {name: _window(image, cut, cut * tf.stack([down, right])) for name, image in images.items()}


def _window(image, cut, offset):
    """Return the part of `image` from `offset` (2,) on, (1 - cut) long, all as shares of the side; bilinear, same size.

    `tf.image.crop_and_resize` aligns the corner pixels' centres, so a share would mean another place on the ground
    in sources of different resolution; this op aligns the images' edges.
    """
    size = tf.shape(image)[:2]
    scale = 1 / (1 - cut)
    window = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=size,
        scale=tf.stack([scale, scale]),
        translation=-offset * tf.cast(size, tf.float32) * scale,
        kernel_type="triangle",
        antialias=False,
    )
    return window[0]


def _colour(images, seed, strength):
    """Change brightness, contrast and (of three bands only) saturation, each by a factor up to `strength` from 1."""
    factors = tf.unstack(tf.random.stateless_uniform((3,), seed, 1 - strength, 1 + strength))
    return {name: recolour(image, *factors) for name, image in images.items()}


def recolour(
    image: tf.Tensor, brightness: tf.Tensor | float, contrast: tf.Tensor | float, saturation: tf.Tensor | float
) -> tf.Tensor:
    """Multiply the brightness, the contrast about the mean, and (of three bands only) the saturation about the grey.

    All three are linear in the bands, hence one product with a mixing matrix instead of three passes.

    Args:
        image: `(H, W, C)` float32, 0 to 255.
        brightness, contrast, saturation: scalar factors; 1 changes nothing.

    Returns:
        `(H, W, C)` float32, cut off at 0 and 255.
    """
    mean = tf.reduce_mean(image, axis=(0, 1))
    mixing = tf.eye(image.shape[-1])
    if image.shape[-1] == 3:
        mixing = saturation * mixing + (1 - saturation) * LUMA[:, None]
    changed = tf.tensordot(image, brightness * contrast * mixing, 1)
    return tf.clip_by_value(changed + tf.tensordot(brightness * (1 - contrast) * mean, mixing, 1), 0.0, 255.0)
