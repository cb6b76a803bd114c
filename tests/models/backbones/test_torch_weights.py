"""Files are written here as torch's legacy format is documented: five pickles, then the storages."""

import collections
import io
import pickle
import struct

import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.models.backbones.torch_weights import MAGIC, read_torch_weights


class Storage:
    def __init__(self, key, values, kind="FloatStorage"):
        self.key, self.values, self.kind = key, values, kind


class Call:
    """Pickles as a call of a named function, which need not exist."""

    def __init__(self, module, name, arguments):
        self.module, self.name, self.arguments = module, name, arguments


class Writer(pickle._Pickler):
    """The pure Python pickler, which lets us name classes that are not there."""

    def persistent_id(self, value):
        return (
            ("storage", Call("torch", value.kind, None), value.key, "cpu", len(value.values), None)
            if isinstance(value, Storage)
            else None
        )

    def save(self, value, *rest, **options):
        if isinstance(value, Call):
            self.write(f"c{value.module}\n{value.name}\n".encode())
            if value.arguments is not None:
                super().save(value.arguments)
                self.write(pickle.REDUCE)
            return
        super().save(value, *rest, **options)


def write(path, tensors, storages, magic=MAGIC):
    buffer = io.BytesIO()
    for value in (magic, 1001, {"little_endian": True}, tensors, [storage.key for storage in storages]):
        Writer(buffer, 2).dump(value)
    for storage in storages:
        buffer.write(struct.pack("<q", len(storage.values)) + storage.values.tobytes())
    path.write_bytes(buffer.getvalue())
    return path


def tensor(storage, offset, shape, strides):
    return Call(
        "torch._utils", "_rebuild_tensor_v2", (storage, offset, shape, strides, False, collections.OrderedDict())
    )


@pytest.fixture
def storage():
    return Storage("7", np.arange(24, dtype="<f4"))


def test_reads_offsets_and_strides(tmp_path, storage):
    steps = Storage("8", np.array([3], "<i8"), "LongStorage")
    tensors = {
        "a": tensor(storage, 0, (2, 3), (3, 1)),
        "b": tensor(storage, 4, (4, 5), (1, 4)),
        "n": tensor(steps, 0, (), ()),
    }
    read = read_torch_weights(write(tmp_path / "w.pth", tensors, [storage, steps]))
    np.testing.assert_array_equal(read["a"], np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(read["b"], np.arange(4, 24).reshape(5, 4).T)
    assert (read["n"], read["n"].dtype, read["a"].dtype) == (3, np.int64, np.float32)


@pytest.mark.parametrize(
    "name", [("os", "system"), ("builtins", "eval"), ("torch", "load"), ("collections", "Counter")]
)
def test_refuses_every_other_name_without_calling_it(tmp_path, storage, name):
    path = write(tmp_path / "w.pth", {"a": Call(*name, ("touch ran",))}, [storage])
    with pytest.raises(ValueError, match=rf"names {name[0]}\.{name[1]}"):
        read_torch_weights(path)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(20, (5,), (1,)), (-1, (2,), (1,)), (3, (2,), (-4,)), (0, (2, 2), (1,))]
)
def test_refuses_a_tensor_that_reaches_beyond_its_storage(tmp_path, storage, offset, shape, strides):
    path = write(tmp_path / "w.pth", {"a": tensor(storage, offset, shape, strides)}, [storage])
    with pytest.raises(ValueError, match="not a legacy torch file"):
        read_torch_weights(path)


def test_refuses_a_file_cut_anywhere(tmp_path, storage):
    whole = write(tmp_path / "w.pth", {"a": tensor(storage, 0, (24,), (1,))}, [storage]).read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / "cut.pth").write_bytes(whole[:size])
        with pytest.raises(ValueError, match="not a legacy torch file"):
            read_torch_weights(tmp_path / "cut.pth")


def test_refuses_a_storage_that_declares_more_than_the_file_holds(tmp_path, storage):
    path = write(tmp_path / "w.pth", {"a": tensor(storage, 0, (24,), (1,))}, [storage])
    content = path.read_bytes()
    path.write_bytes(content[: -24 * 4 - 8] + struct.pack("<q", 2**60) + content[-24 * 4 :])
    with pytest.raises(ValueError, match="more than the file holds"):
        read_torch_weights(path)


def test_refuses_a_large_file_before_reading_it(tmp_path, storage):
    path = write(tmp_path / "w.pth", {}, [storage])
    with pytest.raises(DataError, match="Expected at most 10"):
        read_torch_weights(path, max_bytes=10)


def test_refuses_another_format(tmp_path, storage):
    with pytest.raises(ValueError, match="header"):
        read_torch_weights(write(tmp_path / "w.pth", {}, [storage], magic=1))


def test_refuses_what_takes_memory_before_it_is_taken(tmp_path, storage):
    endless = write(tmp_path / "a.pth", {"a": tensor(storage, 0, (1 << 40,), (0,))}, [storage])
    with pytest.raises(ValueError, match="reaches beyond its storage"):
        read_torch_weights(endless)
    good = write(tmp_path / "b.pth", {"a": tensor(storage, 0, (2, 3), (3, 1))}, [storage]).read_bytes()
    for forged, message in (
        (b"\x80\x02N" + pickle.LONG_BINPUT + struct.pack("<I", 1 << 31) + b".", "numbers 2147483648 parts"),
        (b"\x80\x04" + pickle.BINBYTES8 + struct.pack("<Q", 1 << 40) + b".", "expected 1099511627776 bytes"),
    ):
        (tmp_path / "c.pth").write_bytes(forged + good)
        with pytest.raises(ValueError, match=message):
            read_torch_weights(tmp_path / "c.pth")
