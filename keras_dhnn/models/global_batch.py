"""Gather one batch over all replicas of data-parallel training, so that pairs reach beyond a replica's own items."""

from collections.abc import Mapping

import tensorflow as tf


def global_batch(outputs: tf.Tensor, targets: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, Mapping[str, tf.Tensor]]:
    """Return outputs and targets of all replicas; called by each replica in its training step.

    Only a replica's own rows carry a gradient in it. A loss of the global batch therefore has, in each replica, its
    gradient by that replica's outputs, both ends of the pairs included, and the sum over replicas, which is what the
    optimiser steps along, is the gradient of one process with the whole batch.

    Args:
        outputs: `(n, l)` float32, this replica's; n is its own.
        targets: dictionary of `(n,)` tensors, this replica's.

    Returns:
        `(outputs, targets)`, `(N, l)` and `(N,)`, the replicas' one after the other; outside of `tf.distribute`, and
        with one replica, the arguments.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return outputs, targets
    everyone = context.all_gather(tf.stop_gradient(outputs), axis=0)
    # The last batch of a data set may leave them unlike numbers of items.
    own = tf.shape(outputs, tf.int64)[0]
    sizes = context.all_gather(tf.identity(own[None]), axis=0)
    before = tf.reduce_sum(sizes[: context.replica_id_in_sync_group])
    # Zeros, which carry the gradient.
    gradient = tf.pad(outputs - tf.stop_gradient(outputs), [[before, tf.reduce_sum(sizes) - before - own], [0, 0]])
    # What comes from the pipeline is on no device yet, and is gathered only where it is on one.
    targets = {name: context.all_gather(tf.identity(values), axis=0) for name, values in targets.items()}
    return everyone + gradient, targets
