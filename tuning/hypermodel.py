"""Turn hyperparameters into an experiment, and this into its validation mAP: what a trial trains."""

from pathlib import Path
from typing import Any

import keras_tuner as kt

from keras_dhnn.config import Experiment
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.tuning.measure import FAILURES, measure, reason
from keras_dhnn.tuning.space import Space


class RetrievalHyperModel(kt.HyperModel):
    """Make an `Experiment` for each point of a search space, and train it by the code that `fit` runs.

    `build` returns the experiment: a network is made from it when it is trained.

    Args:
        space: the `Space`.
        info: `DatasetInfo` of the prepared data set.
        bar: context manager factory `bar(description, total, unit)` for the parts of a trial.
    """

    def __init__(self, space: Space, info: DatasetInfo, bar: Bar = no_bar) -> None:
        super().__init__()
        self.space, self.info, self.bar = space, info, bar

    def build(self, hp: kt.HyperParameters) -> Experiment:
        """Return the `Experiment` of hyperparameters."""
        return self.space.experiment(hp)

    def fit(
        self, hp: kt.HyperParameters, experiment: Experiment, *, folder: Path, epochs: int | None = None
    ) -> dict[str, Any]:
        """Train a trial, or continue it where it was killed. The queries are not looked at.

        Args:
            hp: its hyperparameters.
            experiment: what `build` made of them.
            folder: where its resumable state is kept.
            epochs: budget, after which it pauses.

        Returns:
            What `measure` returns: with `val_map`, the objective.

        Raises:
            keras_tuner.errors.FailedTrialError: if the loss is not finite, all codes become one, memory does not
                suffice or the settings do not go together.
        """
        try:
            return measure(experiment, self.info, folder, epochs=epochs, bar=self.bar)
        except FAILURES as error:
            raise kt.errors.FailedTrialError(reason(error)) from error
