"""Run frozen networks as fast as the processor allows: converted once, then by one single-threaded interpreter a core.

Whatever encodes images goes through `Encoder`: frozen passes of training, codes, queries, archives.
"""

from keras_dhnn.runtimes.choice import RUNTIME, choose_runtime, installed_runtimes
from keras_dhnn.runtimes.encoder import Encoder

__all__ = ["RUNTIME", "Encoder", "choose_runtime", "installed_runtimes"]
