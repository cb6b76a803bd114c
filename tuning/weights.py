"""Choose the weights of the objective, which has others for two image sources than for one."""

from collections.abc import Iterable

from keras_dhnn.errors import SettingError
from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.tuning.names import SYMBOLS, symbol

WEIGHTS = {1: ("eta",), 2: ("alpha", "beta", "gamma")}


def default_names(info: DatasetInfo) -> tuple[str, ...]:
    """Return what a search varies unless it is told: s and eta of one image source; alpha, beta and gamma of two.

    Args:
        info: `DatasetInfo`.
    """
    weights = WEIGHTS[len(sources_of(info))]
    return ("s", *weights) if len(weights) == 1 else weights


def check_weights(paths: Iterable[str], info: DatasetInfo) -> None:
    """Refuse to vary weights that the objective of a data set does not have.

    Args:
        paths: settings, "section.field".
        info: `DatasetInfo`.

    Raises:
        SettingError: if one of them has no effect.
    """
    sources = sources_of(info)
    used = WEIGHTS[len(sources)]
    unused = [SYMBOLS[name] for names in WEIGHTS.values() for name in names if name not in used]
    wrong = [symbol(path) for path in paths if path in unused]
    if wrong:
        raise SettingError(
            f"No effect on {info.name} (of {' and '.join(sources)}): {', '.join(wrong)}. "
            f"Its objective has the weights: {', '.join(used)}"
        )
