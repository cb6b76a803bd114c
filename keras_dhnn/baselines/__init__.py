"""Hash by methods that the papers compare with, as scikit-learn estimators: `fit(X, y)`, `transform(X)` to -1 and +1.

They need neither TensorFlow nor images, only feature vectors; `Gist` makes such vectors of images.
"""

from keras_dhnn.baselines.cca_itq import CCAITQ
from keras_dhnn.baselines.cosdish import COSDISH
from keras_dhnn.baselines.gist import Gist
from keras_dhnn.baselines.itq import ITQ
from keras_dhnn.baselines.ksh import KSH
from keras_dhnn.baselines.prh import PRH
from keras_dhnn.baselines.scm import SCM
from keras_dhnn.baselines.sdh import SDH

__all__ = ["CCAITQ", "COSDISH", "ITQ", "KSH", "PRH", "SCM", "SDH", "Gist"]
