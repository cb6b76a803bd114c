"""`keras-dhnn prepare` of two sources: what the user gives, and what comes of it."""

import dataclasses
import functools
import hashlib
import http.server
import json
import shutil
import threading

import numpy as np
import pytest

from keras_dhnn.cli.bars import bars
from keras_dhnn.pipelines.datasets import ucmd, ucmd_dual
from keras_dhnn.pipelines.datasets.dataset import Download
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.workflows.prepare import draw_twin
from tests.fakes import dsrsid_arrays, make_dataset, write_dsrsid, write_pairs, write_tiff, write_ucmd

PAIRS = {"optical": ((16, 16, 4), "uint8"), "radar": ((8, 8, 1), "float32")}


@pytest.fixture
def prepare(run, tmp_path):
    """Runs `prepare` into tmp_path/data; gives its exit status, stdout and stderr."""
    return lambda *arguments: run("prepare", *arguments, "--data", tmp_path / "data", "--quiet")


@pytest.fixture
def pairs(tmp_path):
    root = write_pairs(tmp_path / "pairs", PAIRS)
    return tuple(text for name in PAIRS for text in ("--source", f"{name}={root / name}"))


def test_pairs_of_ones_own(prepare, pairs, tmp_path):
    settings = ("--image-size", "radar=12", "--rgb-bands", "optical=3,2,1")
    status, out, _ = prepare("port", "--layout", "dual", *pairs, *settings)
    assert status == 0
    assert "6 images of 2 classes" in out
    assert "radar: Pixels become 0 to 255" in out
    info = DatasetInfo.load(tmp_path / "data" / "port")
    assert {source: spec.shape for source, spec in info.images.items()} == {
        "optical": (16, 16, 4),
        "radar": (12, 12, 1),
    }
    assert info.rgb_bands_of("optical") == (3, 2, 1)


def test_an_unmatched_image_stops_it_or_is_left_out(prepare, pairs, tmp_path):
    (tmp_path / "pairs" / "radar" / "town" / "town2.tif").unlink()
    status, out, err = prepare("port", "--layout", "dual", *pairs)
    assert (status, out) == (2, "")
    assert "town/town2.tif" in err
    assert "--skip-damaged" in err
    status, out, _ = prepare("port", "--layout", "dual", *pairs, "--skip-damaged")
    assert status == 0
    assert "Left out: optical: town/town2.tif has no partner" in out


def test_dsrsid(prepare, tmp_path):
    path = write_dsrsid(tmp_path / "DSRSID.mat", dsrsid_arrays())
    _, out, _ = prepare("dsrsid", "--source", path, "--json")
    assert {name: json.loads(out)[name] for name in ("images", "classes", "synthetic")} == {
        "images": 24,
        "classes": 8,
        "synthetic": False,
    }


def test_dsrsids_twin(prepare, tmp_path):
    status, out, _ = prepare("dsrsid", "--synthetic", "--size", 16, "--json")
    assert (status, json.loads(out)["synthetic"]) == (0, True)
    info = DatasetInfo.load(tmp_path / "data" / "dsrsid-synthetic")
    assert (info.count, info.synthetic, info.rgb_bands_of("mul")) == (16, True, (3, 2, 1))


def test_labels_are_kept_with_a_twin_too(prepare, tmp_path):
    assert prepare("ucmd", "--synthetic", "--per-class", 2)[0] == 0
    ids = DatasetInfo.load(tmp_path / "data" / "ucmd-synthetic").ids
    rows = [f"{key},{('lake', 'road')[number % 2]}" for number, key in enumerate(ids[:4])]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    assert prepare("ucmd", "--synthetic", "--per-class", 2, "--labels", tmp_path / "labels.csv")[0] == 0
    info = DatasetInfo.load(tmp_path / "data" / "ucmd-synthetic")
    assert (info.classes[:2], int(info.known.sum())) == (("lake", "road"), 4)
    assert prepare("ucmd", "--synthetic", "--per-class", 2, "--labels", tmp_path / "none.csv")[0] == 2


def test_ucmd_dual_and_its_twin(prepare, tmp_path):
    write_ucmd(tmp_path / "ucmd")
    assert prepare("ucmd-dual", "--source", tmp_path / "ucmd")[0] == 0
    assert prepare("ucmd-dual", "--synthetic", "--per-class", 2)[0] == 0
    for name, count in (("ucmd-dual", 9), ("ucmd-dual-synthetic", 42)):
        info = DatasetInfo.load(tmp_path / "data" / name)
        assert (info.count, info.sources) == (count, ("mul", "pan"))


def test_fit_takes_the_twin_that_is_there(prepare, tmp_path):
    prepare("ucmd", "--synthetic", "--per-class", 2)
    assert draw_twin("ucmd", tmp_path / "data", bars(True)) == "ucmd-synthetic"
    assert DatasetInfo.load(tmp_path / "data" / "ucmd-synthetic").count == 42


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", "--layout", "dual", "--source", "a"), "Expected NAME=VALUE"),
        (("x", "--layout", "dual", "--source", "a=b"), "Expected two sources, each by a name"),
        (("x", "--layout", "dual", "--source", "a=b", "--source", "a=c"), "Expected two sources, each by a name"),
        (("x", "--layout", "dual", "--source", "a=b", "--source", "c=d"), "Expected a folder or a zip file"),
        (
            ("x", "--layout", "dual", "--source", "a=b", "--source", "c=d", "--scale", 0, 1),
            "--scale is for --layout fol",
        ),
        (("x", "--layout", "folder", "--source", "a", "--source", "b"), "Expected one --source PATH"),
        (("x", "--layout", "folder", "--source", "a", "--image-size", "b"), "Expected a side in pixels"),
        (("x", "--source", "a"), "--layout dual for pairs of yours"),
        (("dsrsid", "--source", "missing.mat"), "Expected the file DSRSID.mat"),
        (("dsrsid", "--download"), "Only ucmd, ucmd-dual can be downloaded"),
        (("dsrsid", "--synthetic", "--size", 12), "Expected a whole number from 16"),
        (("ucmd", "--source", "a", "--image-size", 64, "--scale", 0, 1), "--layout ucmd: --image-size, --scale. Leave"),
        (("sat4", "--source", "a", "--label-noise", 0.1), "No effect on --layout sat4: --label-noise"),
        (("sat4", "--synthetic", "--per-class", 5), "No effect on the synthetic twin of sat4: --per-class"),
        (("mine", "--layout", "ucmd", "--synthetic"), "keras-dhnn prepare ucmd --synthetic"),
    ],
)
def test_a_users_mistakes(prepare, arguments, message):
    status, out, err = prepare(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_download_fetches_the_published_archive_once(prepare, tmp_path, monkeypatch):
    """From a server of ours, whose archive has the size and checksum that the real one must have."""
    write_ucmd(tmp_path / "folder")
    (tmp_path / "web").mkdir()
    shutil.make_archive(tmp_path / "web" / "UCMerced_LandUse", "zip", tmp_path / "folder")
    content = (tmp_path / "web" / "UCMerced_LandUse.zip").read_bytes()
    handler = functools.partial(Quiet, directory=tmp_path / "web")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        url = f"http://127.0.0.1:{server.server_address[1]}/UCMerced_LandUse.zip"
        published = Download(url, "UCMerced_LandUse.zip", len(content), "sha256:" + hashlib.sha256(content).hexdigest())
        for module in (ucmd, ucmd_dual):
            monkeypatch.setattr(module, "DATASET", dataclasses.replace(module.DATASET, download=published))
        status, out, err = prepare("ucmd", "--download")
        server.shutdown()
    assert (status, err) == (0, "")
    assert "9 images of 3 classes" in out
    assert (tmp_path / "data" / "UCMerced_LandUse.zip").read_bytes() == content
    assert prepare("ucmd-dual", "--download")[0] == 0  # without the server
    assert DatasetInfo.load(tmp_path / "data" / "ucmd-dual").count == 9


@pytest.mark.parametrize("name", ["", "..", ".", "../x", "sub/x", "-x", "a;touch PWN", "a\nb", "~"])
def test_names_that_lead_out_of_the_data_folder_are_refused(run, tmp_path, name):
    write_ucmd(tmp_path / "folder")
    before = sorted(path.name for path in tmp_path.iterdir())
    places = f"--source={tmp_path / 'folder'}", f"--data={tmp_path / 'data'}"
    status, out, err = run("prepare", *places, "--layout=folder", "--", name)
    assert (status, out) == (2, "")
    assert ("Expected as the name of a data set letters" if name else "is empty. Expected a value") in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_name_with_a_space_is_quoted_in_what_comes_next(run, tmp_path, monkeypatch):
    write_ucmd(tmp_path / "folder")
    monkeypatch.setenv("HOME", str(tmp_path))
    places = "--source=~/folder/UCMerced_LandUse/Images", "--data=~/da ta"
    status, out, err = run("prepare", "my harbours", "--layout", "folder", *places, "--quiet")
    assert (status, err) == (0, "")
    assert (tmp_path / "da ta" / "my harbours" / "info.json").is_file()
    assert f"Next: keras-dhnn fit 'my harbours' --data '{tmp_path}/da ta'" in out


def test_a_class_whose_name_has_a_line_end_is_refused(prepare, tmp_path):
    for name in ("a", "b\u2028c"):
        (tmp_path / "folder" / name).mkdir(parents=True)
        for number in range(2):
            write_tiff(tmp_path / "folder" / name / f"{number}.tif", np.zeros((9, 9), np.uint8))
    status, _, err = prepare("x", "--layout", "folder", "--source", tmp_path / "folder")
    assert status == 2
    assert "a name with a line end or control character: 'b\\u2028c'. Rename it." in err


def test_verify_reads_every_file(run, tmp_path):
    info = make_dataset(tmp_path / "data" / "mine")[0]
    where = "--data", tmp_path / "data"
    status, out, err = run("prepare", "mine", "--verify", *where)
    assert status == 0, err
    assert "4 files" in out
    assert "20 images are as they were written." in out
    assert json.loads(run("prepare", "mine", "--verify", "--json", *where)[1])["checksum"] == info.checksum
    status, _, err = run("prepare", "mine", "--verify", "--force", *where)
    assert (status, "Leave out --force." in err) == (2, True)
    shard = info.directory / info.shards[1].file
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    status, out, err = run("prepare", "mine", "--verify", *where)
    assert (status, out) == (2, "")
    assert f"is damaged: {info.shards[1].file} has changed" in err
    assert run("prepare", "other", "--verify", *where)[0] == 2
