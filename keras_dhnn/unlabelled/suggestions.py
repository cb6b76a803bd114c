"""Suggest which images to label next."""

import numpy as np

from keras_dhnn.unlabelled.diffusion import walk_similarity
from keras_dhnn.unlabelled.inference import UNKNOWN, infer_labels
from keras_dhnn.unlabelled.structure import Structure

# Items among which suggestions are chosen, and for which they are to be telling; of more, a sample.
MOST = 8000


def suggest(structure: Structure, labels: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Choose the items whose labels would tell most of the others.

    Each choice takes the item that is similar to the most doubt that no labelled or chosen item is similar to yet:
    doubt is one minus the margin of the inferred label, or one where nothing is labelled. So choices are in doubt, in
    dense regions, and far from each other and from what is labelled: never near-duplicates (a greedy maximum of
    weighted coverage; Yehuda et al., NeurIPS 2022, cover without doubt).

    Args:
        structure: of the n items.
        labels: `(n,)` integers, `UNKNOWN` where there is none.
        count: items to choose.
        seed: of the sample that is looked at, of collections of more than `MOST`.

    Returns:
        `(count,)` item numbers, the most telling first; fewer if fewer have no label.
    """
    labels = np.asarray(labels)
    random, unlabelled = np.random.default_rng(seed), np.flatnonzero(labels == UNKNOWN)
    looked_at = unlabelled
    if len(unlabelled) > MOST:
        looked_at = np.sort(random.choice(unlabelled, MOST, replace=False))
    doubt = np.ones(len(looked_at), np.float32)
    known = np.flatnonzero(labels != UNKNOWN)
    covered = np.zeros(len(looked_at), np.float32)
    if len(known):
        doubt -= infer_labels(structure, labels).margins[looked_at]
        covered = walk_similarity(structure.walks[looked_at], structure.walks[known]).max(axis=1)
    similarity = walk_similarity(structure.walks[looked_at], structure.walks[looked_at])
    return looked_at[_cover(similarity, doubt, covered, min(count, len(looked_at)))]


def _cover(similarity, doubt, covered, count):
    """Return numbers of the `count` items that cover the most doubt, one after the other."""
    chosen, free = [], np.ones(len(doubt), bool)
    for _ in range(count):
        gains = np.maximum(similarity - covered, 0) @ doubt
        best = int(np.where(free, gains, -1).argmax())
        chosen.append(best)
        free[best] = False
        covered = np.maximum(covered, similarity[best])
    return np.array(chosen, int)
