"""Declare deep hashing methods that are compared, as settings of our own models, and what is tuned of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Rates and weights are searched evenly on a logarithmic scale.
_RATES = (3e-4, 1e-2)
_ETA = (0.01, 3.0)
_WEIGHTINGS = ("mean", "balanced")


@dataclass(frozen=True)
class Method:
    """Describe a method by its settings.

    Attributes:
        title: as tables have it.
        reference: the publication.
        settings: `{"section.field": value}` that make an experiment this method's; the first trial of its tuning.
        tuned: `{"section.field": (low, high) or values}` beside the learning rate: a pair of floats is a range.
    """

    title: str
    reference: str
    settings: Mapping[str, Any]
    tuned: Mapping[str, tuple] = field(default_factory=dict)


def _pairwise(penalty: float | None, norm: str, eta: float, **more: Any) -> dict[str, Any]:
    settings = {"loss.objective": "likelihood", "loss.penalty": penalty, "loss.quantization": norm, "loss.eta": eta}
    return settings | {"loss.pair_weighting": "mean", **more}


ONE_SOURCE = {
    "dhn": Method(
        "DHN",
        "Zhu et al., AAAI 2016",
        _pairwise(1.0, "l1", 0.1),
        {"loss.eta": _ETA, "loss.pair_weighting": _WEIGHTINGS},
    ),
    "dsh": Method(
        "DSH",
        "Liu et al., CVPR 2016",
        # eta = 0.02 l of 64 bits.
        {"loss.objective": "contrastive", "loss.quantization": "l1", "loss.eta": 1.28, "loss.pair_weighting": "mean"},
        {"loss.eta": (0.05, 5.0), "loss.pair_weighting": _WEIGHTINGS},
    ),
    "dpsh": Method(
        "DPSH",
        "Li et al., IJCAI 2016",
        _pairwise(2.0, "l2", 0.1),
        {"loss.eta": _ETA, "loss.pair_weighting": _WEIGHTINGS},
    ),
    "triplet": Method(
        "Triplet, semi-hard",
        "Schroff et al., CVPR 2015",
        {"loss.objective": "triplet", "loss.margin": 1.0, "loss.eta": 0.1},
        {"loss.eta": _ETA, "loss.margin": (0.25, 3.0)},
    ),
    "dhcnn": Method(
        "DHCNN",
        "Song et al., IEEE TGRS 2021",
        _pairwise(2.0, "l2", 0.1, **{"loss.classification": 1.0}),
        {"loss.eta": _ETA, "loss.classification": (0.1, 10.0)},
    ),
    "csq": Method(
        "CSQ",
        "Yuan et al., CVPR 2020",
        {"loss.objective": "central", "loss.eta": 0.01},
        {"loss.eta": (1e-3, 1.0)},
    ),
    "orthohash": Method(
        "OrthoHash",
        "Hoe et al., NeurIPS 2021",
        {"loss.objective": "angular", "loss.margin": 0.2, "loss.eta": 0.0},
        {"loss.margin": (0.05, 0.8)},
    ),
    "dhnn-l1": Method(
        "DHNNs-L1",
        "Li et al., IEEE TGRS 2018",
        {"loss.quantization": "l1"},
        {"loss.eta": _ETA, "loss.similarity_factor": (0.1, 2.0)},
    ),
    "dhnn-l2": Method(
        "DHNNs-L2",
        "Li et al., IEEE TGRS 2018",
        {"loss.quantization": "l2"},
        {"loss.eta": _ETA, "loss.similarity_factor": (0.1, 2.0)},
    ),
}

_DUAL_TUNED = {"loss.beta": (0.01, 1.0), "loss.similarity_factor": (0.1, 2.0)}
TWO_SOURCES = {
    # A start at class codes is ours, not DCMH's.
    "dcmh": Method("DCMH", "Jiang, Li, CVPR 2017", {"loss.alpha": 0.0, "model.start": "random"}, _DUAL_TUNED),
    "sidhcnn": Method("SIDHCNN", "Li et al., IEEE TGRS 2018", {}, _DUAL_TUNED),
}


def deep_methods(sources: int) -> dict[str, Method]:
    """Return the methods for so many image sources, by the names that users give."""
    return ONE_SOURCE if sources == 1 else TWO_SOURCES


def rates(settings: Mapping[str, Any]) -> dict[str, tuple]:
    """Return the learning rates that are tuned: of the phases that an experiment's settings have."""
    names = ("head.learning_rate",) if settings["head.epochs"] else ()
    if settings["fine_tune.epochs"]:
        names = (*names, "fine_tune.learning_rate")
    return {name: tuple(rate * settings[name] / 1e-3 for rate in _RATES) for name in names}
