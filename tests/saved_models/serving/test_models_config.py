"""The configuration for TensorFlow Serving that docs/guides/serving.md names."""

from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "serving"


def test_it_parses_and_names_the_folder_of_an_export():
    parsed = text_format.Parse((FOLDER / "models.config").read_text(), ModelServerConfig())
    (model,) = parsed.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("ucmd", "/models/ucmd", "tensorflow")
    assert model.model_version_policy.latest.num_versions == 1
    assert "/models:ro" in (FOLDER / "compose.yaml").read_text()
