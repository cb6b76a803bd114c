"""A frozen backbone that takes no time: means of squares of the image."""

import tensorflow as tf


def build(image_shape):
    images = tf.keras.Input(image_shape)
    side = max(image_shape[0] // 8, 1)
    pooled = tf.keras.layers.AveragePooling2D(side)(tf.keras.layers.Rescaling(1 / 255)(images))
    return tf.keras.Model(images, tf.keras.layers.Flatten()(pooled))
