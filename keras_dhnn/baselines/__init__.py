"""Hashing methods that the papers compare with, as scikit-learn estimators: `fit(X, y)`, `transform(X)` to -1 and +1.

They need neither TensorFlow nor images, only feature vectors.
"""

from keras_dhnn.baselines.gist import Gist
from keras_dhnn.baselines.itq import ITQ

__all__ = ["ITQ", "Gist"]
