"""The warm-up requests of a new version."""

import contextlib
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.saved_models.version.exporter import make_warmup
from keras_dhnn.saved_models.version.warmup import read_warmup


def test_files_are_of_the_signatures_source_though_its_name_begins_with_anothers(tmp_path):
    specs = {"pansharp": ImageSpec(8, 8, 3, "uint8"), "pan": ImageSpec(8, 8, 1, "uint8")}
    bands = {"encode_pan_bytes": 1, "encode_pansharp_bytes": 3}
    for source, spec in specs.items():
        for target in specs:
            for stem in (f"{source}_to_{target}", f"{source}_to_{target}_in_class"):
                bands[f"{stem}_bytes"] = spec.channels
    definition = meta_graph_pb2.SignatureDef()
    definition.inputs["image_bytes"].dtype = tf.string.as_datatype_enum
    for given in (specs, dict(reversed(specs.items()))):
        make_warmup(given, "dual")(tmp_path / "requests", dict.fromkeys(bands, definition))
        found = {name: inputs["image_bytes"] for name, inputs in read_warmup(tmp_path / "requests")}
        assert found.keys() == bands.keys()
        for name, files in found.items():
            assert [tf.io.decode_image(file).shape[2] for file in files] == 2 * [bands[name]], name


def test_requests_that_a_full_disk_cut_short_are_an_error(tmp_path, monkeypatch):
    """A server refuses to load a model whose requests it cannot read, and TensorFlow's writer says nothing."""

    class Full(contextlib.nullcontext):
        def __init__(self, path):
            super().__init__(self)
            Path(path).write_bytes(b"half a req")

        def write(self, record):
            pass

    monkeypatch.setattr(tf.io, "TFRecordWriter", Full)
    definition = meta_graph_pb2.SignatureDef()
    definition.inputs["image_bytes"].dtype = tf.string.as_datatype_enum
    with pytest.raises(OSError, match="No space left") as caught:
        make_warmup({"image": ImageSpec(8, 8, 3, "uint8")}, "one")(tmp_path / "requests", {"encode_bytes": definition})
    assert caught.value.filename == str(tmp_path / "requests")
