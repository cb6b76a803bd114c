"""What `index add` makes of many images, and of another `index add` beside it."""

import json
import threading

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.saved_models.index import Index
from keras_dhnn.saved_models.version.exporter import EXTRA, LISTED, load_version, read_card, version_damage
from keras_dhnn.saved_models.version.versions import list_versions
from keras_dhnn.workflows import index as workflow
from keras_dhnn.workflows.export import export_run
from keras_dhnn.workflows.image_paths import image_paths, read_path_list
from keras_dhnn.workflows.index import add_images, remove_items
from tests.recorded_bars import RecordedBars


@pytest.fixture
def base(run, info):
    """Folder of an export of its own for a test that changes it."""
    name = f"index{len(list((run.path / 'export').glob('index*')))}"
    return export_run(run, info, name=name, warmup=False).parent


def write_images(folder, names):
    random = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (9, 9, 3), np.uint8)).save(folder / name)
    return [folder / name for name in names]


def keys_of(version):
    return Index.load(version / EXTRA / "index.npz").ids.tolist()


def test_two_at_once_keep_what_each_adds(base, tmp_path, monkeypatch):
    """The first is held back while it encodes, until the second waits for it or is done."""
    before, paths = keys_of(base / "1"), write_images(tmp_path, ["a.png", "b.png"])
    encodes, goes_on = threading.Event(), threading.Event()
    original = workflow._encode

    def slowly(encoder, images):
        encodes.set()
        assert goes_on.wait(30)
        return original(encoder, images)

    monkeypatch.setattr(workflow, "_encode", slowly)
    first = threading.Thread(target=add_images, args=(base, paths[:1]))
    second = threading.Thread(target=add_images, args=(base, paths[1:]))
    first.start()
    assert encodes.wait(30)
    second.start()
    second.join(0.5)
    goes_on.set()
    for thread in (first, second):
        thread.join(60)
    assert list_versions(base) == [1, 2, 3]
    assert keys_of(base / "3") == [*before, *map(str, paths)]
    assert read_card(base / "3")["made_from_version"] == 2


def test_images_are_encoded_a_batch_at_a_time(base, tmp_path, monkeypatch):
    paths = write_images(tmp_path / "new", [f"{number}.png" for number in range(7)])
    expected = Index.load(add_images(base, paths) / EXTRA / "index.npz").codes[-7:]
    remove_items(base, list(map(str, paths)))
    batches, bars = [], RecordedBars()
    original = workflow._encode
    monkeypatch.setattr(workflow, "_BATCH", 3)
    monkeypatch.setattr(
        workflow, "_encode", lambda encoder, images: batches.append(len(images)) or original(encoder, images)
    )

    version = add_images(base, [tmp_path / "new"], bar=bars)
    assert batches == [3, 3, 1]
    assert bars.shown[0] == ("Encoding", 7, [(3, ""), (6, ""), (7, "")])
    assert [description for description, *_ in bars.shown] == ["Encoding", "Writing the version"]
    np.testing.assert_array_equal(Index.load(version / EXTRA / "index.npz").codes[-7:], expected)


def test_a_folder_is_all_images_below_it(tmp_path):
    paths = write_images(tmp_path, ["b/2.png", "b/1.JPG", "a.webp", ".hidden.png", ".thumbnails/1.png"])
    (tmp_path / "b" / "notes.txt").write_text("no image", encoding="utf-8")
    assert image_paths([tmp_path]) == [paths[2], paths[1], paths[0]]
    assert image_paths([tmp_path / "b" / "notes.txt", tmp_path / "b"])[0].name == "notes.txt"
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image in"):
        image_paths([tmp_path / "empty"])


def test_a_list_is_a_path_a_line(tmp_path):
    (tmp_path / "list").write_bytes("\ufeffa b.png\r\n\nä/c.png\n".encode())
    assert [str(path) for path in read_path_list(tmp_path / "list")] == ["a b.png", "ä/c.png"]
    for content in (b"", b"\n \n", b"\xff\xfea\0"):
        (tmp_path / "list").write_bytes(content)
        with pytest.raises((SettingError, DataError), match="list"):
            read_path_list(tmp_path / "list")
    with pytest.raises(SettingError, match="no file"):
        read_path_list(tmp_path / "none")


def test_nothing_is_encoded_for_keys_that_are_refused(base, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "_encode", None)
    (path,) = write_images(tmp_path, ["a.png"])
    with pytest.raises(SettingError, match="Received twice"):
        add_images(base, [path, path])
    with pytest.raises(SettingError, match="can be printed"):
        add_images(base, write_images(tmp_path, ["a\nb.png"]))
    assert list_versions(base) == [1]


def test_what_is_there_is_left_out_and_counted(base, tmp_path):
    before, said = keys_of(base / "1"), []
    old, new = write_images(tmp_path, ["a.png", "c.png"]), write_images(tmp_path, ["b.png"])
    first = add_images(base, old, label="class1", say=said.append)
    assert said == []
    second = add_images(base, [old[0], *new, old[1]], label="class1", say=said.append)
    assert (first, second) == (base / "2", base / "3")
    assert keys_of(second) == [*before, *map(str, old), *map(str, new)]
    (line,) = said
    assert line.startswith("2 of 3 images are in the index already")
    indexes = [Index.load(version / EXTRA / "index.npz") for version in (first, second)]
    np.testing.assert_array_equal(indexes[1].codes[:-1], indexes[0].codes)
    assert indexes[1].labels[-3:].tolist() == [1, 1, 1]


def test_where_all_are_there_nothing_is_encoded_and_no_version_written(base, tmp_path, monkeypatch, command):
    write_images(tmp_path, ["new/a.png", "new/b.png"])
    add_images(base, [tmp_path / "new"])
    monkeypatch.setattr(workflow, "_encode", None)
    status, out, err = command("index", "add", base, tmp_path / "new")
    assert (status, out.splitlines()[0]) == (0, str(base / "2"))
    assert "2 of 2 images are in the index already" in err
    assert list_versions(base) == [1, 2]


def test_another_class_of_what_is_there_is_refused(base, tmp_path):
    paths = write_images(tmp_path, ["a.png", "b.png"])
    add_images(base, paths[:1], label="class1")
    add_images(base, paths[1:])
    for path in paths:
        with pytest.raises(SettingError, match=f"{path.name}' is in the index without this class"):
            add_images(base, [path], label="class0")
    add_images(base, paths, say=lambda text: None)  # of no class in particular
    assert list_versions(base) == [1, 2, 3]


@pytest.mark.parametrize("name", ["saved_model.pb", "assets/model_card.json", f"{EXTRA}/index.npz", LISTED])
def test_a_version_whose_bytes_changed_is_named(base, name):
    path = base / "1" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(DataError, match=path.name):
        load_version(base / "1")


def test_a_whole_version_is_whole(base):
    assert version_damage(base / "1") == []
    listed = json.loads((base / "1" / LISTED).read_text(encoding="utf-8"))["files"]
    assert {"saved_model.pb", "variables/variables.index", "assets/items.json", f"{EXTRA}/index.npz"} <= set(listed)


def test_index_add_of_a_folder_and_a_list_by_the_command_line(base, command, tmp_path):
    write_images(tmp_path, ["new/1.png", "new/2.png", "3.png"])
    (tmp_path / "list").write_text(f"{tmp_path / '3.png'}\n", encoding="utf-8")
    status, _, err = command("index", "add", base, tmp_path / "new", "--list", tmp_path / "list", "--quiet")
    assert (status, err) == (0, "")
    assert keys_of(base / "2")[-3:] == [str(tmp_path / name) for name in ("new/1.png", "new/2.png", "3.png")]
    status, _, err = command("index", "add", base)
    assert (status, "Expected images to add" in err) == (2, True)
