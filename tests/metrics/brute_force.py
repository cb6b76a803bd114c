"""Oracles: one query's scores over every order of tied items, straight from the definitions."""

import math
from itertools import permutations

import numpy as np


def orders(distances):
    """Every order by distance, each order of tied items as often as any other; item order first."""
    for numbers in permutations(range(len(distances))):
        yield sorted(numbers, key=lambda item: distances[item])


def average_precision(gains, k):
    """Average precision of graded relevance in rank order; an item is relevant if its gain is positive."""
    return weighted_average_precision([int(gain > 0) for gain in gains], k)


def weighted_average_precision(gains, k):
    """The same with the mean gain up to a rank instead of precision."""
    last = len(gains) if k is None else k
    best = min(sum(gain > 0 for gain in gains), last)
    means = [sum(gains[:i]) / i for i, gain in enumerate(gains, start=1) if gain > 0 and i <= last]
    return sum(means) / best if best else 0.0


def ndcg(gains, k):
    """Normalised discounted cumulative gain with gains 2^g - 1."""

    def dcg(ranked):
        return sum((2**gain - 1) / math.log2(i + 2) for i, gain in enumerate(ranked[:k]))

    ideal = dcg(sorted(gains, reverse=True))
    return dcg(gains) / ideal if ideal else 0.0


def precision(gains, k):
    """Share of relevant items among the first k."""
    return np.mean([gain > 0 for gain in gains[:k]]) if gains else 0.0


def recall(gains, k):
    """Share of the relevant items among the first k."""
    relevant = sum(gain > 0 for gain in gains)
    return sum(gain > 0 for gain in gains[:k]) / relevant if relevant else 0.0


def over_orders(score, distances, gains, k=None):
    """A score of one query in every order: an array, that of the stable order first."""
    return np.array([score([gains[item] for item in order], k) for order in orders(distances)])


def queries(query_codes, database_codes, query_labels, database_labels, own):
    """For each query the distances and gains of the database items, without its own copy."""
    for i, code in enumerate(query_codes):
        kept = [j for j in range(len(database_codes)) if j != own[i]]
        distances = [int(np.unpackbits(code ^ database_codes[j]).sum()) for j in kept]
        label = query_labels[i]
        if np.ndim(query_labels) == 1:
            gains = [int(label == database_labels[j]) for j in kept]
        else:
            gains = [int((label * database_labels[j]).sum()) for j in kept]
        yield distances, gains
