"""Lay an archive out by similarity, on a plane and in clusters: where to start in an archive without labels."""

import threading
from collections import Counter
from typing import Any

import numpy as np

from keras_dhnn.browse.catalogue import Catalogue
from keras_dhnn.browse.parameters import Filters
from keras_dhnn.codes import unpack
from keras_dhnn.directions import unit_rows

# Items that are laid out; of larger archives a sample, among which others get their place by their nearest ones.
MOST_POINTS = 2000
_NEAREST, _TYPICAL, _MOST_CLUSTERS, _SEED = 3, 6, 20, 0
_PER_CLUSTER, _FEW = 12, 8
_CHUNK = 20_000


class Layout:
    """Hold where the items of one source lie: roughly at once (principal components), and finely after some seconds.

    Args:
        catalogue: `Catalogue`.
    """

    def __init__(self, catalogue: Catalogue):
        self._catalogue, self._guard, self._made, self._refining = catalogue, threading.Lock(), False, False
        self._rough = True

    def warm_up(self) -> None:
        """Make it in a thread of its own."""
        threading.Thread(target=self.refine, daemon=True, name="layout").start()

    def refine(self) -> None:
        """Lay the items out finely; whoever asks meanwhile is told where they are roughly."""
        self._make()
        with self._guard:
            if self._refining:
                return
            self._refining = True
        self._plane, self._rough = _on_plane(self._vectors), False

    def describe(self, filters: Filters) -> dict[str, Any]:
        """Return points and clusters of what filters leave, a dictionary for JSON.

        It has `rough`: whether it is worth asking again in some seconds.
        """
        self._make()
        if self._rough:
            self.warm_up()
        numbers = self._catalogue.matching(filters)
        shown = np.sort(self._catalogue.mixed(filters)[:MOST_POINTS])
        places, clusters = self._places(shown), self._clusters[shown]
        labels, names = self._catalogue.labels[shown], self._catalogue.label_names
        items = self._catalogue.items(shown)
        points = [
            {"id": item["id"], "x": x, "y": y, "label": item["label"], "cluster": cluster, "thumb": item["thumb"]}
            for item, (x, y), cluster in zip(items, places.tolist(), clusters.tolist(), strict=True)
        ]
        counts = np.bincount(self._clusters[numbers], minlength=len(self._centres))
        described = [
            self._describe_cluster(cluster, counts[cluster], shown, places, labels, names)
            for cluster in np.argsort(-counts)
            if counts[cluster]
        ]
        return {"total": len(numbers), "rough": self._rough, "points": points, "clusters": described}

    def _describe_cluster(self, cluster, count, shown, places, labels, names):
        inside = np.flatnonzero(self._clusters[shown] == cluster)
        frequent = Counter(labels[inside][labels[inside] >= 0].tolist()).most_common(1)
        typical = inside[np.argsort(self._far[shown[inside]], kind="stable")[:_TYPICAL]]
        x, y = np.median(places[inside], axis=0).tolist() if len(inside) else (0.0, 0.0)
        return {
            "cluster": int(cluster),
            "count": int(count),
            "x": round(x, 4),
            "y": round(y, 4),
            "label": names[frequent[0][0]] if frequent else None,
            "items": self._catalogue.items(shown[typical]),
        }

    def _make(self):
        with self._guard:
            if not self._made:
                self._lay_out()
                self._made = True

    def _lay_out(self):
        count = len(self._catalogue)
        rng = np.random.default_rng(_SEED)
        self._sample = np.sort(rng.choice(count, min(count, MOST_POINTS), replace=False))
        self._vectors = self._vectors_of(self._sample)
        self._plane = _within_bounds(_principal(self._vectors))
        self._centres = _centres(self._vectors)
        self._clusters, self._far = self._assign(count)

    def _vectors_of(self, numbers):
        """Return unit vectors `(n, d)` float32: features where they are kept, else signs of the bits."""
        catalogue = self._catalogue
        found = unpack(catalogue.codes[numbers]) if catalogue.features is None else catalogue.features[numbers]
        return unit_rows(found.astype(np.float32))

    def _assign(self, count):
        """Return `(n,)` nearest centre of every item, and how far it is."""
        clusters, far = np.zeros(count, np.int32), np.zeros(count, np.float32)
        for first in range(0, count, _CHUNK):
            part = np.arange(first, min(first + _CHUNK, count))
            near = self._vectors_of(part) @ self._centres.T - 0.5 * (self._centres**2).sum(axis=1)
            clusters[part], far[part] = near.argmax(axis=1), -near.max(axis=1)
        return clusters, far

    def _places(self, numbers):
        """Return `(n, 2)` places: of the sample's their own, of others the mean of their nearest ones'."""
        found = np.zeros((len(numbers), 2))
        at = np.searchsorted(self._sample, numbers).clip(max=max(len(self._sample) - 1, 0))
        own = self._sample[at] == numbers if len(numbers) else np.zeros(0, bool)
        found[own] = self._plane[at[own]]
        if not own.all():
            alike = self._vectors_of(numbers[~own]) @ self._vectors.T
            nearest = np.argpartition(-alike, min(_NEAREST, alike.shape[1] - 1), axis=1)[:, :_NEAREST]
            found[~own] = self._plane[nearest].mean(axis=1)
        return np.round(found, 4)


def _principal(vectors):
    """Return `(n, 2)` coordinates on the plane that varies most."""
    centred = vectors - vectors.mean(axis=0, keepdims=True) if len(vectors) else vectors
    values, directions = np.linalg.eigh(centred.T @ centred)
    return centred @ directions[:, np.argsort(-values)[:2]]


def _on_plane(vectors):
    """Return `(n, 2)` places within -1..1, near to each other where vectors are alike (t-SNE from PCA's plane)."""
    if len(vectors) < _FEW:
        return _within_bounds(_principal(vectors))
    from sklearn.manifold import TSNE

    perplexity = min(30, (len(vectors) - 1) / 3)
    made = TSNE(perplexity=perplexity, init="pca", random_state=_SEED, max_iter=500)
    return _within_bounds(made.fit_transform(vectors))


def _within_bounds(places):
    """Return places moved and shrunk, both coordinates alike, so that they fill -1..1."""
    if not len(places):
        return places
    centred = places - (places.min(axis=0) + places.max(axis=0)) / 2
    return centred / max(float(np.abs(centred).max()), 1e-9)


def _centres(vectors):
    """Return the centres `(c, d)` of clusters, a dozen items each, twenty at most (k-means)."""
    count = int(np.clip(len(vectors) // _PER_CLUSTER, 1, _MOST_CLUSTERS))
    if len(vectors) < 2:
        return vectors[:1] if len(vectors) else np.zeros((1, 1), np.float32)
    from sklearn.cluster import KMeans

    return KMeans(count, n_init=3, random_state=_SEED).fit(vectors).cluster_centers_.astype(np.float32)
