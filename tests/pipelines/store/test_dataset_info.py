import json
import subprocess
import sys

import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from tests.fakes import make_coloured_dataset, make_dataset


@pytest.fixture
def info(tmp_path):
    return make_dataset(tmp_path / "data" / "ucmd")[0]


def change_info(info, **values):
    """Change what a data set says of itself, as version 0.1 would have written it: without a checksum of it."""
    path = info.directory / "info.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    del written["sha256"]
    path.write_text(json.dumps(written | values), encoding="utf-8")


def test_load_returns_what_was_saved(info):
    assert DatasetInfo.load(info.directory) == info
    assert info.name == "ucmd"
    assert info.sources == ("image",)
    assert info.count == 20
    assert info.class_counts == (10, 10)
    assert info.nbytes == 20 * 8 * 8 * 3


def test_load_notices_any_change_of_what_a_data_set_says_of_itself(info):
    path = info.directory / "info.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("\n", "\r\n"), encoding="utf-8")
    assert DatasetInfo.load(info.directory) == info
    for old, new in (("ucmd", "ucme"), ('"synthetic": false', '"synthetic": true'), (info.classes[0], "river")):
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(DataError, match=r"info.json is damaged: it is not what was written. Run: keras-dhnn prep"):
            DatasetInfo.load(info.directory)


def test_a_description_of_version_0_1_is_read(info):
    change_info(info, package_version="0.1.0")
    assert DatasetInfo.load(info.directory).package_version == "0.1.0"


def test_the_file_calls_the_origin_as_earlier_versions_did(info):
    written = json.loads((info.directory / "info.json").read_text())
    assert written["source"] == info.origin
    assert info.origin["kind"] == "folder"
    assert "origin" not in written


def test_labels_and_ids_are_in_item_order_and_read_only(info):
    np.testing.assert_array_equal(info.labels, [0] * 10 + [1] * 10)
    assert info.labels.dtype == np.int32
    assert info.ids[3] == "item003"
    with pytest.raises(ValueError, match="read-only"):
        info.labels[0] = 1


def test_load_of_nothing_says_what_to_run(tmp_path):
    with pytest.raises(DataError, match=rf"No prepared data set .* keras-dhnn prepare ucmd --data {tmp_path}"):
        DatasetInfo.load(tmp_path / "ucmd")


def test_load_of_unfinished_says_what_to_run(info):
    (info.directory / "info.json").unlink()
    with pytest.raises(DataError, match="No prepared data set .* keras-dhnn prepare ucmd"):
        DatasetInfo.load(info.directory)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format_version": 1}', '{"format_version": 1, "more": 2}'])
def test_load_of_damaged_info_says_what_to_run(info, text):
    (info.directory / "info.json").write_text(text)
    with pytest.raises(DataError, match=r"info.json is damaged: .* keras-dhnn prepare ucmd"):
        DatasetInfo.load(info.directory)


def test_load_of_another_format_version(info):
    change_info(info, format_version=99, something="new")
    with pytest.raises(DataError, match="written in format 99, where 1 is expected"):
        DatasetInfo.load(info.directory)


def test_load_names_a_missing_shard(info):
    (info.directory / info.shards[1].file).unlink()
    with pytest.raises(DataError, match=f"damaged: {info.shards[1].file} is missing"):
        DatasetInfo.load(info.directory)


def test_load_names_a_truncated_shard(info):
    path = info.directory / info.shards[1].file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"damaged: {info.shards[1].file} has [\d,]+ bytes instead of"):
        DatasetInfo.load(info.directory)


def test_verify_names_a_shard_with_one_changed_byte(info):
    info.verify()
    path = info.directory / info.shards[2].file
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)
    DatasetInfo.load(info.directory)
    with pytest.raises(DataError, match=f"damaged: {info.shards[2].file} has changed"):
        info.verify()


def test_damaged_items_file_of_the_right_size(info):
    path = info.directory / "items.npz"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(DataError, match=r"damaged: items.npz has changed"):
        _ = DatasetInfo.load(info.directory).labels


def test_load_does_not_import_tensorflow(info):
    code = (
        "import sys; from keras_dhnn.pipelines.store.dataset_info import DatasetInfo; "
        f"DatasetInfo.load({str(info.directory)!r}); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def written(info):
    return json.loads((info.directory / "info.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("height", "message"),
    [(10**12, r"info.json is damaged: 36 images take .* are stored"), (5, r"items.npz is damaged: records are of 3,")],
)
def test_images_of_another_size_than_what_is_stored_are_damage(tmp_path, height, message):
    info = make_coloured_dataset(tmp_path / "made", side=32)
    change_info(info, images={"image": written(info)["images"]["image"] | {"height": height}})
    with pytest.raises(DataError, match=message):
        DatasetInfo.load(info.directory).places  # noqa: B018


@pytest.mark.parametrize(
    "origin",
    [
        *({"rgb_bands": bands} for bands in ([-1, 1, 2], [0, 1, 2], [1, 2, 4], [1, 2], ["1", 2, 3], 3, {"image": 7})),
        *({"scaling": scaling} for scaling in (7, {"image": 7}, {"image": {"low": [0], "high": [1]}})),
        {"scaling": {"image": {"low": [0, 0, 0], "high": ["1", "1", "1"]}}},
    ],
)
def test_bands_that_images_do_not_have_are_damage(info, origin):
    change_info(info, source=written(info)["source"] | origin)
    with pytest.raises(DataError, match=r"info.json is damaged.*Run: keras-dhnn prepare"):
        DatasetInfo.load(info.directory)


def test_a_name_that_no_file_system_takes_is_damage(info):
    change_info(info, items_file=written(info)["items_file"] | {"file": "x" * 5000})
    with pytest.raises(DataError, match=r"info.json is damaged: 'x+' is no file of the data set"):
        DatasetInfo.load(info.directory)
