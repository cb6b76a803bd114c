"""Find more like this: content-based retrieval of remote-sensing images by deep hashing, in TensorFlow/Keras.

Most verbs of the command line are functions here, with the same names and defaults; `archive`, `benchmark`, `browse`,
`cache`, `demo`, `index`, `serve` and `verify` are the command line's alone:

    import keras_dhnn

    keras_dhnn.prepare("harbours", "my-images", layout="folder")
    run = keras_dhnn.fit("harbours", bits=64)
    keras_dhnn.query(run, "some-image.png")["results"]

Names are imported when they are first used, so that this module and `--help` load at once, without TensorFlow.
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_dhnn._version import __version__
from keras_dhnn.machine import memory

# TensorFlow reads these when it first needs memory. Where it does not use oneDNN, as on processors without VNNI, each
# tensor above 32 MiB would come from fresh pages, which takes up to half of the time. This allocator keeps what it has;
# results are the same, bit for bit (docs/measurements/encoding.md). Its limit is no less than the machine has.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPU_BFC_MEM_LIMIT_IN_MB", str(max(1 << 16, memory() >> 20)))
# NumPy's threads poll for 2**26 cycles after each product of matrices, unless told otherwise before it is imported: in
# the training of a head that was a fifth of all processor time. 2**4 has them sleep at once; products are the same.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

if TYPE_CHECKING:
    from keras_dhnn.archive import Archive as Archive
    from keras_dhnn.codes import binarize as binarize
    from keras_dhnn.codes import hamming_distances as hamming_distances
    from keras_dhnn.codes import pack as pack
    from keras_dhnn.codes import unpack as unpack
    from keras_dhnn.config import Experiment as Experiment
    from keras_dhnn.experiment.presets import load_preset as load_preset
    from keras_dhnn.experiment.resolve import resolve_experiment as resolve_experiment
    from keras_dhnn.losses.angular import Angular as Angular
    from keras_dhnn.losses.balance import Balance as Balance
    from keras_dhnn.losses.central import CentralSimilarity as CentralSimilarity
    from keras_dhnn.losses.classification import Classification as Classification
    from keras_dhnn.losses.contrastive import Contrastive as Contrastive
    from keras_dhnn.losses.pairwise import PairwiseLikelihood as PairwiseLikelihood
    from keras_dhnn.losses.quantization import Quantization as Quantization
    from keras_dhnn.losses.triplet import TripletSemiHard as TripletSemiHard
    from keras_dhnn.metrics.code_health import code_health as code_health
    from keras_dhnn.metrics.counting import rank as rank
    from keras_dhnn.metrics.curves import precision_recall_by_radius as precision_recall_by_radius
    from keras_dhnn.metrics.curves import precision_recall_curve as precision_recall_curve
    from keras_dhnn.metrics.graded import ndcg as ndcg
    from keras_dhnn.metrics.graded import weighted_average_precision as weighted_average_precision
    from keras_dhnn.metrics.ranking import average_precision as average_precision
    from keras_dhnn.metrics.ranking import mean_average_precision as mean_average_precision
    from keras_dhnn.metrics.ranking import precision_at as precision_at
    from keras_dhnn.metrics.ranking import precision_within as precision_within
    from keras_dhnn.metrics.ranking import recall_at as recall_at
    from keras_dhnn.metrics.ranking import recall_within as recall_within
    from keras_dhnn.models.dhnn import DHNN as DHNN
    from keras_dhnn.models.hash_head import hash_head as hash_head
    from keras_dhnn.models.sidhcnn import SIDHCNN as SIDHCNN
    from keras_dhnn.pipelines.batches import batches as batches
    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo as DatasetInfo
    from keras_dhnn.runs import Run as Run
    from keras_dhnn.saved_models.graph.retrieval import HammingRetrieval as HammingRetrieval
    from keras_dhnn.workflows.ablate import ablate as ablate
    from keras_dhnn.workflows.audit import audit as audit
    from keras_dhnn.workflows.compare import compare as compare
    from keras_dhnn.workflows.encode import encode as encode
    from keras_dhnn.workflows.evaluate import evaluate as evaluate
    from keras_dhnn.workflows.export import export as export
    from keras_dhnn.workflows.fit import fit as fit
    from keras_dhnn.workflows.grid import grid as grid
    from keras_dhnn.workflows.open_run import load_model as load_model
    from keras_dhnn.workflows.prepare import prepare as prepare
    from keras_dhnn.workflows.query import query as query
    from keras_dhnn.workflows.search import search as search
    from keras_dhnn.workflows.suggest import suggest as suggest
    from keras_dhnn.workflows.tune import tune as tune

# Where each name of the library is defined.
_NAMES = {
    "keras_dhnn.archive": ("Archive",),
    "keras_dhnn.codes": ("binarize", "hamming_distances", "pack", "unpack"),
    "keras_dhnn.config": ("Experiment",),
    "keras_dhnn.experiment.presets": ("load_preset",),
    "keras_dhnn.experiment.resolve": ("resolve_experiment",),
    "keras_dhnn.losses.angular": ("Angular",),
    "keras_dhnn.losses.balance": ("Balance",),
    "keras_dhnn.losses.central": ("CentralSimilarity",),
    "keras_dhnn.losses.classification": ("Classification",),
    "keras_dhnn.losses.contrastive": ("Contrastive",),
    "keras_dhnn.losses.pairwise": ("PairwiseLikelihood",),
    "keras_dhnn.losses.quantization": ("Quantization",),
    "keras_dhnn.losses.triplet": ("TripletSemiHard",),
    "keras_dhnn.metrics.code_health": ("code_health",),
    "keras_dhnn.metrics.counting": ("rank",),
    "keras_dhnn.metrics.curves": ("precision_recall_by_radius", "precision_recall_curve"),
    "keras_dhnn.metrics.graded": ("ndcg", "weighted_average_precision"),
    "keras_dhnn.metrics.ranking": (
        "average_precision",
        "mean_average_precision",
        "precision_at",
        "precision_within",
        "recall_at",
        "recall_within",
    ),
    "keras_dhnn.models.dhnn": ("DHNN",),
    "keras_dhnn.models.hash_head": ("hash_head",),
    "keras_dhnn.models.sidhcnn": ("SIDHCNN",),
    "keras_dhnn.pipelines.batches": ("batches",),
    "keras_dhnn.pipelines.store.dataset_info": ("DatasetInfo",),
    "keras_dhnn.runs": ("Run",),
    "keras_dhnn.saved_models.graph.retrieval": ("HammingRetrieval",),
    "keras_dhnn.workflows.open_run": ("load_model",),
    **{
        f"keras_dhnn.workflows.{verb}": (verb,)
        for verb in (
            "ablate",
            "audit",
            "compare",
            "encode",
            "evaluate",
            "export",
            "fit",
            "grid",
            "prepare",
            "query",
            "search",
            "suggest",
            "tune",
        )
    },
}
_PLACES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = ["__version__", *sorted(_PLACES)]


def __getattr__(name: str) -> Any:
    """Import a name of the library when it is first used (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    """List what the library offers, imported or not."""
    return sorted({*globals(), *__all__})


class _Checkout:
    """Find the three folders that stand beside this package in a checkout; in a wheel they are real subpackages.

    A checkout on sys.path shadows an installed copy, so it must find them itself, and nothing else that lies there.
    """

    ROOT = Path(__file__).resolve().parent.parent
    FOLDERS = ("pipelines", "saved_models", "tuning")

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> Any:
        """Return where `keras_dhnn.pipelines`, `.saved_models` or `.tuning` is, or None of other names."""
        package, _, folder = name.rpartition(".")
        place = cls.ROOT / folder
        if package != __name__ or folder not in cls.FOLDERS or not (place / "__init__.py").is_file():
            return None
        return importlib.util.spec_from_file_location(
            name, place / "__init__.py", submodule_search_locations=[str(place)]
        )


if (_Checkout.ROOT / "setup.cfg").is_file():
    # Before the finders of editable installs, which may be of another checkout.
    sys.meta_path.insert(0, _Checkout)
