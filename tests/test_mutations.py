"""Every reader, on files that were damaged at random: what is wrong is said as one of our own errors, by name."""

import io
import json
import resource
import zipfile

import numpy as np
import pytest
import tifffile
from PIL import Image

from keras_dhnn.config import Data, Experiment
from keras_dhnn.errors import KerasDhnnError
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.files import write_arrays
from keras_dhnn.models.backbones.torch_weights import read_torch_weights
from keras_dhnn.pipelines.datasets.folder_listing import list_collection
from keras_dhnn.pipelines.datasets.sat4_csv import read_rows
from keras_dhnn.pipelines.formats.image_file import decode_image
from keras_dhnn.pipelines.formats.limits import Limits
from keras_dhnn.pipelines.formats.mat import open_mat
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage
from keras_dhnn.pipelines.groups import load_groups, save_groups
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.runs import Run
from keras_dhnn.saved_models.index import Index
from tests.fakes import make_coloured_dataset, sat4_arrays, write_sat4_csv, write_sat4_mat5, write_sat4_mat73
from tests.models.backbones import test_torch_weights as torch_files

EACH = 110  # damaged files of each kind; 20 kinds
BANDS = np.random.default_rng(0).integers(0, 255, (20, 24, 3)).astype(np.uint8)


def damaged(content, count, seed=0):
    """`count` variants of some bytes: some changed, cut off, doubled or overwritten, as disks and hands do it."""
    random = np.random.default_rng(seed)
    for number in range(count):
        copy = bytearray(content)
        kind = number % 4
        if kind < 2:
            # Most of what a file says of itself stands at its ends.
            spread = [len(copy), min(len(copy), 600)][kind]
            for place in random.integers(0, spread, random.integers(1, 8)):
                copy[int(place) if random.random() < 0.5 else -1 - int(place)] = random.integers(256)
        elif kind == 2:
            copy = copy[: random.integers(len(copy))]
        else:
            first, size = random.integers(len(copy)), random.integers(1, 40)
            copy[first : first + size] = random.choice([b"\xff", b"\0", b"9", b"[", b'"', b"-"]) * int(size)
        yield bytes(copy)


def picture(kind, **options):
    file = io.BytesIO()
    Image.fromarray(BANDS).save(file, kind, **options)
    return file.getvalue()


def tiff(**options):
    file = io.BytesIO()
    tifffile.imwrite(file, BANDS.astype(np.uint16), photometric="rgb", metadata=None, **options)
    return file.getvalue()


PICTURES = {
    "PNG": picture("PNG"),
    "JPEG": picture("JPEG", progressive=True),
    "WebP": picture("WEBP"),
    "BMP": picture("BMP"),
    "JPEG 2000": picture("JPEG2000"),
    "TIFF": tiff(),
    "TIFF, tiles": tiff(tile=(16, 16), compression="zlib", predictor=True),
    "TIFF, LZW": picture("TIFF", compression="tiff_lzw"),
    "TIFF, JPEG": picture("TIFF", compression="jpeg"),
    "BigTIFF": tiff(bigtiff=True, rowsperstrip=3),
}


@pytest.fixture
def scarce_memory():
    """Let this process grow by 1 GiB only: who takes memory for what a file claims is found out."""
    with open("/proc/self/statm", encoding="utf-8") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.usefixtures("scarce_memory")
@pytest.mark.parametrize("name", PICTURES)
def test_damaged_pictures(name):
    errors = {}
    for number, content in enumerate(damaged(PICTURES[name], EACH)):
        try:
            decode_image(content, 1 << 22)
        except UnreadableImage as error:
            errors[number] = error
    assert len(errors) > EACH / 5
    assert not [number for number, error in errors.items() if isinstance(error.__cause__, MemoryError)]


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "made", count=12, side=4)


def stored(folder, info):
    """{kind: (path, function that reads it)} of the files that we write ourselves, and of archives."""
    split = draw_split(Data(protocol="grouped", queries=0.3), 0, info)
    split.save(folder / "split.npz")
    save_groups(folder / "groups.npz", np.arange(info.count), info)
    keys = np.array([f"a/{number}" for number in range(9)])
    Index(np.arange(18, dtype=np.uint8).reshape(9, 2), keys, np.zeros(9, np.int32), "m").save(folder / "index.npz")
    codes = {"codes": np.zeros((9, 1), np.uint8), "outputs": np.zeros((9, 8), np.float16)}
    write_arrays(folder / "codes.npz", codes | {"items": np.arange(9), "labels": np.arange(9)})
    (folder / "environment.json").write_text(json.dumps({"checksum": "x", "seed": 0, "packages": {}}, indent=2))
    (folder / "experiment.json").write_text(Experiment().to_json())
    arrays = sat4_arrays()
    write_sat4_mat5(folder / "packed.mat", arrays, compressed=True)
    write_sat4_mat5(folder / "plain.mat", arrays)
    write_sat4_mat73(folder / "hdf5.mat", arrays, chunks=True, compression="gzip")
    write_sat4_csv(folder, arrays)
    storage = torch_files.Storage("7", np.arange(24, dtype="<f4"))
    tensors = {"a": torch_files.tensor(storage, 0, (2, 3), (3, 1)), "b": torch_files.tensor(storage, 4, (4, 5), (1, 4))}
    torch_files.write(folder / "weights.pth", tensors, [storage])
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
            file.writestr(name, PICTURES["PNG"][:200])
    run = Run(folder)

    def read_slabs(path):
        for array in open_mat(path).arrays.values():
            for _ in array.slabs(3):
                pass

    def read_zip(path):
        tree = list_collection(path, Limits(file_bytes=1 << 20, total_bytes=1 << 22), skip_damaged=True).tree
        for name in tree.files:
            tree.read(name)

    return {
        "split": (folder / "split.npz", Split.load),
        "groups": (folder / "groups.npz", lambda path: load_groups(path, info)),
        "index": (folder / "index.npz", Index.load),
        "codes": (folder / "codes.npz", lambda path: run.load_codes()),
        "environment": (folder / "environment.json", lambda path: run.environment),
        "experiment": (folder / "experiment.json", lambda path: run.experiment),
        "info": (info.directory / "info.json", lambda path: DatasetInfo.load(info.directory)),
        "items": (info.directory / "items.npz", lambda path: info_labels(info)),
        "MATLAB 5, packed": (folder / "packed.mat", read_slabs),
        "MATLAB 5": (folder / "plain.mat", read_slabs),
        "MATLAB 7.3": (folder / "hdf5.mat", read_slabs),
        "CSV": (folder / "X_test_sat4.csv", lambda path: list(read_rows(path, 3136))),
        "torch": (folder / "weights.pth", read_torch_weights),
        "zip": (folder / "images.zip", read_zip),
    }


def info_labels(info):
    """Read `items.npz` as it is on disk now, whose size `info.json` knows."""
    info.__dict__.pop("_items", None)
    try:
        return info.labels
    finally:
        info.__dict__.pop("_items", None)


def says_something_else(other, content):
    """Whether the JSON of a damaged file is not that of the whole one, whatever its line breaks are."""
    try:
        return json.loads(other) != json.loads(content)
    except ValueError:
        return True


KINDS = ("split", "groups", "index", "codes", "environment", "experiment", "info", "items", "MATLAB 5, packed")
KINDS += ("MATLAB 5", "MATLAB 7.3", "CSV", "torch", "zip")


@pytest.mark.usefixtures("scarce_memory")
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind, info, tmp_path):
    path, read = stored(tmp_path, info)[kind]
    content, errors, variants = path.read_bytes(), {}, list(damaged(path.read_bytes(), EACH, seed=1))
    read(path)
    try:
        for number, other in enumerate(variants):
            path.write_bytes(other)
            try:
                read(path)
            except KerasDhnnError as error:
                errors[number] = error
    finally:
        path.write_bytes(content)
    assert len(errors) > EACH / 5
    assert not [number for number, error in errors.items() if isinstance(error.__cause__, MemoryError)]
    if kind == "info":
        assert set(errors) == {number for number, other in enumerate(variants) if says_something_else(other, content)}
    if kind not in ("zip", "experiment", "info"):  # which name a member, a setting, another file
        assert not [error for error in errors.values() if path.name not in str(error)]
