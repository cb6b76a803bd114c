import pytest
import tensorflow as tf

from keras_dhnn.runtimes.flatbuffer import layers_of
from keras_dhnn.training.architecture import make_backbone
from tests.fakes import make_coloured_dataset
from tests.tiny_training import TINY


@pytest.mark.parametrize("weights", ["auto", "none"])
@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite0+efficientnet_lite1"])
def test_running_statistics_of_trained_networks_alone_are_frozen(tmp_path, name, weights):
    info = make_coloured_dataset(tmp_path / "coloured")
    experiment = TINY.override(f"model.backbone={name}", f"model.weights={weights}", "data.image_size=32")
    backbone = make_backbone(experiment, info, "image", None, filled=False)
    normalizations = [one for one in layers_of(backbone) if isinstance(one, tf.keras.layers.BatchNormalization)]
    assert len(normalizations) >= 49 * len(name.split("+"))
    assert {one.trainable for one in normalizations} == {weights == "none"}
