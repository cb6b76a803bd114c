"""Exporting and changing an export, by functions and by the command line: what is written, and what is refused."""

import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_dhnn.codes import hamming_distances
from keras_dhnn.errors import DataError, RunError, SettingError
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.runs import Run
from keras_dhnn.saved_models.index import Index
from keras_dhnn.saved_models.version.exporter import read_card
from keras_dhnn.saved_models.version.versions import list_versions, next_version
from keras_dhnn.workflows import export
from keras_dhnn.workflows.export import export_run, item_keys
from keras_dhnn.workflows.index import add_images, remove_items
from tests.recorded_bars import RecordedBars
from tests.saved_models.serving.pictures import pictures
from tests.saved_models.serving.tiny_run import write_run


@pytest.fixture
def base(run, info):
    """Folder of an export of its own for a test that changes it."""
    name = f"changed{len(list((run.path / 'export').glob('changed*')))}"
    return export_run(run, info, name=name).parent


def answers(folder, codes, k=1000):
    search = tf.saved_model.load(str(folder)).signatures["search_codes"]
    return {name: value.numpy() for name, value in search(codes=tf.constant(codes), k=tf.constant(k)).items()}


def test_a_run_of_more_bits_than_an_export_searches_is_refused_before_its_network_is_loaded(
    tmp_path, info, monkeypatch
):
    long = write_run(tmp_path / "long", info, bits=264)
    monkeypatch.setattr("keras_dhnn.workflows.export.load_model", lambda *_: pytest.fail("The network was loaded"))
    with pytest.raises(SettingError, match="at most 256 bits, and this run's have 264. Train one with --bits 256"):
        export_run(long, info, name="long")
    assert not (long.path / "export").exists()


def test_assets_and_model_card(exported, run, info):
    card = read_card(exported)
    assert (card["name"], card["version"], card["bits"], card["data"]["checksum"]) == ("coloured", 1, 16, info.checksum)
    assert card["split"]["protocol"] == "grouped"
    assert card["score"]["map"] == run.metrics["map"]
    assert card["versions"]["tensorflow"] == tf.__version__
    assert len(card["model"]) == 64
    assert json.loads((exported / "assets" / "classes.json").read_text()) == list(info.classes)
    items = json.loads((exported / "assets" / "items.json").read_text())
    database = Split.load(run.split_path).database
    assert items == item_keys(info, database, 4).tolist()
    assert card["index"]["image"]["items"] == len(items) == len(database)
    assert f"{info.ids[database[1] // 4]}@90" in items
    found = pictures(exported)
    assert found.keys() == {item.split("@")[0] for item in items}
    assert Image.open(io.BytesIO(found[str(info.ids[database[1] // 4])])).size == (16, 16)


def test_all_items_are_searched_with_index_all(run, info):
    folder = export_run(run, info, index="all", name="everything", warmup=False)
    assert not (folder / "assets.extra" / "tf_serving_warmup_requests").exists()
    codes = run.load_codes()["codes"]
    found = answers(folder, codes[:1])
    order = np.argsort(hamming_distances(codes[:1], codes)[0], kind="stable")
    assert found["ids"][0].astype(str).tolist() == item_keys(info, order, 4).tolist()


def test_codes_of_the_same_model_are_taken_and_others_refused(run, info, exported, tmp_path):
    stored = exported / "assets.extra" / "index.npz"
    folder = export_run(run, info, index=str(stored), name="given")
    assert read_card(folder)["index"]["image"]["items"] == read_card(exported)["index"]["image"]["items"]
    index = Index.load(stored)
    for change, message in (
        ({"model": "0" * 64}, "codes of another model"),
        ({"codes": index.codes[:, :1]}, "8 bits, this run's model makes 16"),
        ({"source": "pan"}, "Expected 'image'"),
    ):
        dataclasses.replace(index, **change).save(tmp_path / "codes.npz")
        with pytest.raises(ValueError, match=message):
            export_run(run, info, index=str(tmp_path / "codes.npz"), name="refused")
    with pytest.raises(DataError, match="Expected a file of codes"):
        export_run(run, info, index="databse", name="refused")
    assert not (run.path / "export" / "refused").exists()


def test_another_model_has_another_fingerprint(run, info, exported, tmp_path):
    other = write_run(tmp_path / "other", info, seed=1)
    with pytest.raises(ValueError, match="codes of another model"):
        export_run(other, info, index=str(exported / "assets.extra" / "index.npz"))


def test_versions_count_up_and_are_not_overwritten(run, info):
    folder = export_run(run, info, name="counted", version=7, warmup=False)
    assert export_run(run, info, name="counted", warmup=False).name == "8"
    before = (folder / "saved_model.pb").stat().st_mtime_ns
    with pytest.raises(RunError, match="7 exists already"):
        export_run(run, info, name="counted", version=7)
    assert (folder / "saved_model.pb").stat().st_mtime_ns == before


def test_the_next_version_comes_after_numbered_folders_that_hold_none(tmp_path):
    assert next_version(tmp_path / "nothing") == 1
    for name in ("2", "10", "thumbs", ".11.preparing"):
        (tmp_path / name).mkdir()
    (tmp_path / "2" / "saved_model.pb").touch()
    assert (list_versions(tmp_path), next_version(tmp_path)) == ([2], 11)


@pytest.mark.parametrize("name", ["a/b", "../a", "..", ".", ".a", "a:b", "a b", "-a", "a?b", "é", "a\n", "/a"])
def test_a_name_that_no_url_holds_is_refused_before_anything_is_written(run, info, name):
    before = sorted(run.path.rglob("*"))
    with pytest.raises(ValueError, match="is part of its URL"):
        export_run(run, info, name=name)
    assert sorted(run.path.rglob("*")) == before


def test_a_version_that_fails_half_way_is_never_seen(run, info, monkeypatch):
    seen = []

    def fail(folder, *arguments, bar):
        (folder / "variables").mkdir()
        (folder / "saved_model.pb").write_bytes(b"half")
        seen.append(list_versions(folder.parent))
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "write_version", fail)
    with pytest.raises(KeyboardInterrupt):
        export_run(run, info, name="half")
    assert seen == [[]]
    assert [path.name for path in (run.path / "export" / "half").iterdir() if path.name[0] != "."] == []


def test_an_unfinished_run_is_refused(run, info, command, tmp_path):
    unfinished = Run.create(tmp_path / "unfinished", run.experiment, info)
    status, _, err = command("export", unfinished.path, "--data", info.directory.parent)
    assert (status, "is not finished" in err) == (2, True)


def test_added_images_are_found_and_removed_items_are_not(base, tmp_path):
    before = answers(base / "1", np.zeros((1, 2), np.uint8))
    random, paths = np.random.default_rng(5), []
    for number in range(3):
        paths.append(tmp_path / f"new{number}.png")
        Image.fromarray(random.integers(0, 256, (20, 20, 3), np.uint8)).save(paths[-1])
    second = add_images(base, paths[:2], label="class1")
    third = add_images(base, paths[2:])
    fourth = remove_items(base, [str(paths[0]), before["ids"][0, 0].decode()])
    assert [path.name for path in (second, third, fourth)] == ["2", "3", "4"]
    encode = tf.saved_model.load(str(base / "1")).signatures["encode_bytes"]
    codes = encode(image_bytes=tf.constant([path.read_bytes() for path in paths]))["codes"].numpy()
    found = answers(third, codes)
    for row, path in enumerate(paths):
        place = found["ids"][row].tolist().index(str(path).encode())
        assert found["distances"][row, place] == 0
        assert (found["labels"][row, place], found["classes"][row, place]) == ((1, b"class1"), (-1, b""))[row == 2]
    expected = [key for key in before["ids"][0].tolist()[1:]]
    after = answers(fourth, np.zeros((1, 2), np.uint8))["ids"][0].tolist()
    assert [key for key in after if key in set(expected)] == expected
    assert set(after) - set(expected) == {str(path).encode() for path in paths[1:]}
    assert read_card(fourth)["made_from_version"] == 3


def test_pictures_follow_what_is_searched(run, info, tmp_path):
    bars = RecordedBars()
    base = export_run(run, info, name="pictured", thumbnails=True, warmup=False, bar=bars).parent
    Image.fromarray(np.full((100, 50, 3), (200, 10, 10), np.uint8)).save(tmp_path / "red.png")
    items = json.loads((base / "1" / "assets" / "items.json").read_text())
    images = len({item.split("@")[0] for item in items})
    assert [(description, total, told[-1]) for description, total, told in bars.shown] == [
        ("Drawing small pictures", images, (images, "")),
        ("Writing the version", 3, (3, "")),
    ]
    image = items[0].split("@")[0]
    turned = [item for item in items if item.split("@")[0] == image]
    assert len(turned) == 4
    before = pictures(base / "1")
    added = pictures(add_images(base, [tmp_path / "red.png"]))
    assert added.keys() - before.keys() == {str(tmp_path / "red.png")}
    shown = np.asarray(Image.open(io.BytesIO(added[str(tmp_path / "red.png")])))
    assert (shown == [200, 10, 10]).all()
    assert pictures(remove_items(base, turned[1:])) == added
    left = pictures(remove_items(base, [turned[0], str(tmp_path / "red.png")]))
    assert left == {name: picture for name, picture in before.items() if name != image}
    remove_items(base, [item for item in items if item not in turned])
    assert not (base / "5" / "assets" / "thumbnails.zip").exists()


def test_the_network_stays_the_same_and_the_graph_does_not_grow(base):
    keys = json.loads((base / "1" / "assets" / "items.json").read_text())
    for key in keys[:3]:
        remove_items(base, [key])
    images = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype(np.float32)
    first, last = (tf.saved_model.load(str(base / str(number))).signatures for number in (1, 4))
    assert np.array_equal(first["encode"](images=images)["codes"], last["encode"](images=images)["codes"])
    sizes = [(base / str(number) / "saved_model.pb").stat().st_size for number in (2, 3, 4)]
    assert sizes[2] - sizes[1] < 2000
    assert sizes[1] - sizes[0] < 2000


def test_index_by_the_command_line(base, command, tmp_path):
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "grey.png")
    status, out, _ = command("index", "add", base, tmp_path / "a.png", "--class", "class0", "--json")
    assert (status, json.loads(out)["path"]) == (0, str(base / "2"))
    status, _, err = command("index", "add", base, tmp_path / "a.png", tmp_path / "a.png")
    assert (status, "Received twice" in err) == (2, True)
    status, _, err = command("index", "add", base, tmp_path / "grey.png")
    assert (status, "has 1 band, not 3" in err) == (2, True)
    shutil.copy(tmp_path / "a.png", tmp_path / "other.png")
    status, _, err = command("index", "add", base, tmp_path / "other.png", "--class", "moon")
    assert (status, "knows no class 'moon'" in err) == (2, True)
    status, out, _ = command("index", "remove", base, tmp_path / "a.png")
    assert (status, out.splitlines()[0]) == (0, str(base / "3"))
    status, _, err = command("index", "remove", base, "nothing")
    assert (status, "no item 'nothing'" in err) == (2, True)
    status, _, err = command("index", "remove", tmp_path, "nothing")
    assert (status, "holds no version of a model" in err) == (2, True)
    assert list_versions(base) == [1, 2, 3]


def test_export_by_the_command_line(run, info, command):
    status, out, _ = command("export", run.path, "--data", info.directory.parent, "--name", "spoken", "--json")
    result = json.loads(out)
    assert (status, result["path"]) == (0, str(run.path / "export" / "spoken" / "1"))
    assert {"serving_default", "search_bytes", "encode", "encode_bytes", "search_codes"} <= set(result["signatures"])


def test_export_into_another_folder(run, info, command, tmp_path):
    status, out, _ = command("export", run.path, "--data", info.directory.parent, "--out", tmp_path / "a", "--json")
    assert (status, json.loads(out)["path"]) == (0, str(tmp_path / "a" / info.name / "1"))
    assert list_versions(tmp_path / "a" / info.name) == [1]


def test_a_file_where_a_folder_must_be_is_named(run, info, base, command):
    """By `export`, and by `index`, which goes to the versions' folder."""
    blocked = base / f".{list_versions(base)[-1] + 1}.preparing"
    blocked.write_text("")
    key = json.loads((base / "1" / "assets" / "items.json").read_text())[-1]
    status, out, err = command("index", "remove", base, key)
    assert (status, out) == (2, "")
    assert f"keras-dhnn: {blocked} is a link or a file, where a folder of ours is expected" in err
    blocked = run.path / "export" / "blocked"
    blocked.write_text("")
    status, out, err = command("export", run.path, "--data", info.directory.parent, "--name", "blocked")
    assert (status, out) == (2, "")
    assert err == (
        f"keras-dhnn: {blocked} cannot be written: File exists. Give another folder for exported models by --out DIR.\n"
    )
