"""Pages over what runs and exported models search, and the verbs that open pages."""

import inspect
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_dhnn import cli
from keras_dhnn.codes import hamming_distances
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.stored_images import read_images
from keras_dhnn.workflows.browse import browse, open_page
from keras_dhnn.workflows.demo import demo, make_demo
from keras_dhnn.workflows.export import export_run, item_keys
from keras_dhnn.workflows.index import add_images
from keras_dhnn.workflows.query import RunSearch
from tests.browse.asked import opened, png
from tests.fakes import make_coloured_dataset
from tests.saved_models.serving.tiny_run import write_run


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


@pytest.fixture(scope="module")
def run(tmp_path_factory, info):
    return write_run(tmp_path_factory.mktemp("runs") / "tiny", info)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def test_a_run_shows_all_images_of_its_data_set(run, info, tmp_path):
    page = open_page(run.path, data=info.directory.parent, state=tmp_path)
    with opened(page) as browser:
        found = browser.get("/api/tiles", order="id", limit=500)
        assert [item["id"] for item in found["items"]] == sorted(map(str, info.ids))
        labels = {str(key): info.classes[number] for key, number in zip(info.ids, info.labels, strict=True)}
        assert {item["id"]: item["label"] for item in found["items"]} == labels
        ((_, image),) = read_images(info, np.array([3]))
        upload = browser.json("POST", "/api/upload", png(image), 201, name="x.png")
        code = run.load_codes()["codes"][4 * 3]
        differing = hamming_distances(np.frombuffer(bytes.fromhex(upload["code"]), np.uint8)[None], code[None])
        assert differing[0, 0] <= 1  # the runtime that encodes one image rounds another way
        item = browser.get(f"/api/search?like={info.ids[3]}&limit=1")["items"][0]
        shown = Image.open(io.BytesIO(browser.ask("GET", item["thumb"])[2]))
        assert shown.size == image.shape[1::-1]


@pytest.mark.slow
def test_an_export_shows_what_it_searches(run, info, tmp_path):
    version = export_run(run, info, name="coloured", thumbnails=True, warmup=False)
    page = open_page(version.parent, data=tmp_path / "nowhere", state=tmp_path)
    items = Split.load(run.split_path).database
    upright = {str(info.ids[item // 4]) for item in items if item % 4 == 0}
    with opened(page) as browser:
        about = browser.get("/api/about")
        assert (about["name"], about["rows"], about["encoder"]) == ("coloured", len(upright), "export")
        found = browser.get("/api/tiles", limit=500)["items"]
        assert {item["id"] for item in found} == upright
        assert browser.ask("GET", found[0]["thumb"])[0] == 200  # of its thumbnails
        ((_, image),) = read_images(info, np.array([items[0] // 4]))
        upload = browser.json("POST", "/api/upload", png(image), 201, name="x.png")
        nearest = browser.get("/api/search", upload=upload["upload"], limit=1)["items"][0]
        assert nearest["distance"] <= 1
    again = open_page(version, data=info.directory.parent, state=tmp_path)
    assert again.archive.root == page.archive.root


OF_EACH = [["boat", "car"], ["boat"], ["car"], []]
TEXTS = ["boat|car", "boat", "car", None]
# Which of these a search finds.
HAVE = {"boat": [0, 1], "car": [0, 2], "boat + car": [0], "unlabelled": [3]}


@pytest.fixture(scope="module")
def several(tmp_path_factory, info):
    """A run of images with several labels, and its `DatasetInfo`."""
    seen = info.with_labels(Labels.of_names(("boat", "car"), [OF_EACH[n % 4] for n in range(info.count)]))
    run = write_run(tmp_path_factory.mktemp("runs") / "several", seen)
    seen.table.save(run.labels_path)
    return run, seen


def test_several_labels_of_an_image_are_searched_by_each(several, tmp_path):
    run, info = several
    page = open_page(run.path, data=info.directory.parent, state=tmp_path)
    shown = page.archive.rows(["id", "label"]).to_pydict()
    assert dict(zip(*shown.values(), strict=True)) == {key: TEXTS[n % 4] for n, key in enumerate(info.ids)}
    items = Split.load(run.split_path).database
    ((_, image),) = read_images(info, np.array([3]))
    for name, rows in HAVE.items():
        (found,) = RunSearch(run, info, class_name=name).search(image[None], 4 * info.count)
        assert sorted(one["item"] for one in found) == [item for item in items if item // 4 % 4 in rows]
    with pytest.raises(SettingError, match="has no class 'plane'. It has: boat, car$"):
        RunSearch(run, info, class_name="plane")


@pytest.mark.slow
def test_an_export_of_several_labels_searches_by_each_and_the_next_version_does(several, tmp_path):
    run, info = several
    base, new = export_run(run, info, name="several", warmup=False).parent, tmp_path / "new.png"
    ((_, image),) = read_images(info, np.array([3]))
    Image.fromarray(image).save(new)
    add_images(base, [new], label="car")
    items = Split.load(run.split_path).database
    for number, more in (("1", set()), ("2", {str(new)})):
        search = tf.saved_model.load(str(base / number)).signatures["search_in_class_uint8"]
        for name, rows in HAVE.items():
            answer = search(images=tf.constant(image[None]), k=tf.constant(999), class_name=tf.constant(name))
            keys = {key.decode() for key in answer["ids"][0].numpy() if key}
            of_class = np.array([item for item in items if item // 4 % 4 in rows])
            assert keys == {*item_keys(info, of_class, 4)} | (more if name == "car" else set())
    page = open_page(base, data=info.directory.parent, state=tmp_path)
    shown = page.archive.rows(["id", "label"]).to_pydict()
    texts = {str(key): TEXTS[n % 4] for n, key in enumerate(info.ids) if 4 * n in items}
    assert dict(zip(*shown.values(), strict=True)) == {**texts, str(new): "car"}


def test_folders_without_any_are_refused(tmp_path):
    with pytest.raises(DataError, match="is no archive, and no folder of images"):
        open_page(tmp_path)


@pytest.mark.parametrize("bands", ["1,2", "red", "0,1,2", ""])
def test_other_bands_are_refused(archive, bands):
    with pytest.raises(SettingError, match="--bands"):
        open_page(archive.root, bands=bands)


@pytest.mark.parametrize(("verb", "function"), [("browse", browse), ("demo", demo)])
def test_functions_take_what_verbs_take(verb, function):
    """As tests/test_library.py has it; `no_open` and `quiet` have other names there."""
    command = next(one.callback for one in cli.app.registered_commands if one.callback.__name__ == verb)
    options, arguments = inspect.signature(command).parameters, inspect.signature(function).parameters
    names = {"no_open": "open_browser", "quiet": "bar"}
    assert {names.get(name, name) for name in options} | {"say", "bar"} == set(arguments)
    for name in set(options) & set(arguments) - {"allow_host", "archive"}:
        assert str(options[name].default) == str(arguments[name].default), name


@pytest.mark.slow
def test_the_demonstration_is_made_once_and_answers(tmp_path):
    folder = make_demo(tmp_path / "demo")
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    assert make_demo(tmp_path / "demo") == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")} == written
    with opened(open_page(folder, state=tmp_path / "state", synthetic=True)) as browser:
        about = browser.get("/api/about")
        assert about["synthetic"]
        assert about["sources"][0]["calibration"] == "precision"
        assert about["rows"] >= 252
        tile = browser.get("/api/tiles", label="forest", limit=1)["items"][0]
        found = browser.get("/api/search", like=tile["id"], limit=5)["items"]
        assert [item["label"] for item in found].count("forest") >= 3
