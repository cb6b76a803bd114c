"""Files of an archive that another writer has made, or that are something else."""

import errno
import json
import os
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from keras_dhnn.archive import Archive, parts
from keras_dhnn.archive.maintenance import compact, remove, verify
from keras_dhnn.archive.manifest import PARTS
from keras_dhnn.archive.spark import search_by_spark
from keras_dhnn.cli.archive import archive as commands
from keras_dhnn.errors import DataError, SettingError
from tests.archives import make_archive, random_codes

ROWS, BITS = 30, 128


def rewritten(folder, change, listed=ROWS):
    """An archive of one file, rewritten as `change` makes its table; and the file."""
    archive = make_archive(folder, random_codes(ROWS, BITS), features=np.random.default_rng(0).normal(size=(ROWS, 8)))
    path = archive.root / archive.parts[0].name
    table = pq.ParquetFile(path).read()
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)
    without_digests(archive)
    return Archive.open(archive.root), path


def without_digests(archive):
    """List the files as before digests were kept."""
    listed = json.loads((archive.root / PARTS).read_text())
    for part in listed["parts"]:
        del part["digest"]
    (archive.root / PARTS).write_text(json.dumps(listed))


def flipped(data, at):
    """Bytes of which one bit is another."""
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def with_column(name, dtype, values=None):
    """What gives a column another type, and other values if there are to be such."""

    def change(table):
        place, column = table.column_names.index(name), table[name]
        column = column.cast(dtype) if values is None else pa.array([values] * len(table), dtype)
        return table.set_column(place, pa.field(name, dtype), column)

    return change


def with_times(milliseconds):
    def change(table):
        times = pa.array([milliseconds] * len(table), pa.int64()).cast(pa.timestamp("ms"))
        return table.set_column(table.column_names.index("time"), "time", times)

    return change


def not_utf8(table):
    place = table.column_names.index("label")
    labels = pa.Array.from_buffers(pa.string(), len(table), pa.array([b"caf\xe9"] * len(table), pa.binary()).buffers())
    return table.set_column(place, "label", labels)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("id", pa.string()),
        ("id", pa.large_string()),
        ("id", pa.dictionary(pa.int32(), pa.string())),
        ("code0", pa.int64()),
        ("label", pa.dictionary(pa.int32(), pa.string())),
        ("features", pa.list_(pa.int8())),
    ],
)
def test_nullable_and_otherwise_encoded_columns_are_read_as_they_are(tmp_path, name, dtype):
    archive, _ = rewritten(
        tmp_path / "a", lambda table: with_column(name, dtype)(table).select(table.column_names[::-1])
    )
    expected = make_archive(
        tmp_path / "b", random_codes(ROWS, BITS), features=np.random.default_rng(0).normal(size=(ROWS, 8))
    )
    assert archive.rows().equals(expected.rows())
    ids = expected.rows(["id"])["id"].to_pylist()
    assert archive.get(ids).equals(expected.get(ids))
    queries = expected.queries(ids[:3])
    assert archive.search(queries, 5).to_list() == expected.search(queries, 5).to_list()
    assert verify(archive) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda table: table.drop(["label"]), "it has no column 'label'"),
        (lambda table: table.drop(["code1"]), "it has no column 'code1'"),
        (lambda table: table.drop(["features"]), "it has no column 'features'"),
        (lambda table: table.append_column("id", table["id"]), "it has more than one column 'id'"),
        (with_column("code0", pa.string()), "its column 'code0' is of the type string; expected int64"),
        (with_column("code1", pa.float64(), 1.5), "its column 'code1' is of the type double; expected int64"),
        (with_column("id", pa.binary()), "its column 'id' is of the type binary; expected string"),
        (with_column("time", pa.string()), "its column 'time' is of the type string"),
        (with_column("bbox", pa.struct({"xmin": pa.float32()}), {"xmin": 1.0}), "its column 'bbox' is of the type"),
        (with_column("features", pa.list_(pa.float32(), 8)), "its column 'features' is of the type"),
        (lambda table: pa.concat_tables([table] * 3), f"it holds {3 * ROWS} rows; parts.json says {ROWS}"),
        (with_times(316_516_780_800_000), "it holds times that are not of the years 1 to 9999"),
        (with_times(-(2**62)), "it holds times that are not of the years 1 to 9999"),
        (lambda table: table.slice(1), f"it holds {ROWS - 1} rows; parts.json says {ROWS}"),
    ],
)
def test_a_file_of_other_columns_or_rows_is_named_before_it_is_read(tmp_path, change, reason):
    archive, path = rewritten(tmp_path / "a", change)
    words = re.escape(f"{path} is damaged ({reason}")
    for read in (
        lambda: archive.search(random_codes(1, BITS), 5),
        lambda: archive.search(random_codes(100, BITS), 5),
        lambda: archive.rows(),
        lambda: archive.get(["tile000001"]),
        archive.load,
    ):
        with pytest.raises(DataError, match=rf"^{words}.*archive verify .*--drop-damaged"):
            read()
    (fault,) = verify(archive)
    assert reason in fault.reason


class OneWorker:
    """Spark's session as far as a search at an address needs one, in this process."""

    @property
    def sparkContext(self):
        return self

    def parallelize(self, values, _):
        self.values = values
        return self

    def map(self, function):
        self.values = [function(value) for value in self.values]
        return self

    def collect(self):
        return self.values


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_column("code1", pa.float64(), 1.5), "its column 'code1' is of the type double; expected int64"),
        (lambda table: pa.concat_tables([table] * 3), f"it holds {3 * ROWS} rows; parts.json says {ROWS}"),
        (with_times(316_516_780_800_000), "it holds times that are not of the years 1 to 9999"),
    ],
)
def test_at_an_address_and_by_spark_files_are_checked_alike(tmp_path, change, reason):
    fsspec = pytest.importorskip("fsspec", reason="Addresses are read by fsspec")
    pytest.importorskip("upath", reason="Addresses are read by universal_pathlib")
    local, _ = rewritten(tmp_path / "a", change)
    at = f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").put(f"{local.root}/", f"{at}/", recursive=True)
    archive, words = Archive.open(at), re.escape(f"is damaged ({reason}")
    for read in (
        lambda: archive.search(random_codes(1, BITS), 5),
        archive.load,
        archive.labels,
        lambda: search_by_spark(OneWorker(), archive, random_codes(2, BITS), 5),
        lambda: search_by_spark(OneWorker(), local, random_codes(2, BITS), 5),
    ):
        with pytest.raises(DataError, match=rf"{words}.*archive verify .*--drop-damaged"):
            read()


def test_of_many_files_at_an_address_spark_reads_those_that_are_found_in(tmp_path):
    pytest.importorskip("fsspec", reason="Addresses are read by fsspec")
    pytest.importorskip("upath", reason="Addresses are read by universal_pathlib")
    codes = random_codes(200, BITS)
    archive = make_archive(f"memory://{tmp_path.name}", codes, parts=20)
    for how in ({"k": 7}, {"k": 3, "where": "label = 'none'"}, {"k": None, "radius": 50}):
        expected = archive.search(codes[:2], **how).table
        assert search_by_spark(OneWorker(), archive, codes[:2], **how).table.to_pylist() == expected.to_pylist()


def test_spark_is_asked_as_the_archive_is(tmp_path):
    pytest.importorskip("fsspec", reason="Addresses are read by fsspec")
    pytest.importorskip("upath", reason="Addresses are read by universal_pathlib")
    codes = random_codes(20, BITS)
    archive = make_archive(f"memory://{tmp_path.name}", codes, parts=2)
    with pytest.raises(SettingError, match="Expected k, radius or both"):
        search_by_spark(OneWorker(), archive, codes[:1], None)
    found = search_by_spark(OneWorker(), archive, codes[:1], 3, columns="label")
    assert found.table.to_pylist() == archive.search(codes[:1], 3, columns="label").table.to_pylist()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (not_utf8, "Invalid UTF8"),
        (lambda table: table.set_column(0, "id", pa.nulls(len(table), pa.string())), "null"),
        (with_column("features", pa.list_(pa.int8()), [1, 2]), "ist"),
    ],
)
def test_values_that_no_archive_holds_are_named_by_who_reads_them(tmp_path, change, reason):
    archive, path = rewritten(tmp_path / "a", change)
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))} is damaged \(.*{reason}"):
        archive.rows()
    (fault,) = verify(archive)
    assert reason in fault.reason


def test_a_pipe_is_not_waited_for(tmp_path):
    archive, path = rewritten(tmp_path / "a", lambda table: table)
    path.unlink()
    os.mkfifo(path)
    for read in (lambda: archive.search(random_codes(1, BITS), 5), archive.rows):
        with pytest.raises(DataError, match="is a named pipe. Expected a file.*--drop-damaged"):
            read()
    (fault,) = verify(archive, drop_damaged=True)
    assert "a named pipe" in fault.reason
    assert Archive.open(archive.root).info.rows == 0


@pytest.mark.parametrize("content", [b"{", b"[1]", b"[" * 100_000, b"\xff"])
def test_a_file_that_says_nothing_of_its_codes_is_of_another_model(tmp_path, content):
    archive, path = rewritten(tmp_path / "a", lambda table: table)
    pq.write_table(pq.ParquetFile(path).read().replace_schema_metadata({"keras_dhnn": content}), path)
    (fault,) = verify(archive)
    assert "another model" in fault.reason


def test_times_that_a_footer_keeps_to_itself_are_named_by_who_reads_them(tmp_path):
    archive, path = rewritten(tmp_path / "a", with_times(316_516_780_800_000))
    table = pq.ParquetFile(path).read()
    pq.write_table(table, path, write_statistics=False)
    with pytest.raises(DataError, match=r"is damaged \(it holds times"):
        archive.rows()
    with pytest.raises(DataError, match="An item that was found cannot be shown.*archive verify"):
        archive.search(random_codes(1, BITS), 3).to_list()
    assert "it holds times" in verify(archive)[0].reason


def test_what_cannot_be_read_is_not_taken_out_as_damaged(tmp_path, monkeypatch):
    archive, path = rewritten(tmp_path / "a", lambda table: table)

    def refuse(place):
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(parts, "open_regular", refuse)
    (fault,) = verify(archive, drop_damaged=True)
    assert (fault.damaged, "Permission denied" in fault.reason) == (False, True)
    with pytest.raises(DataError, match="cannot be read now .*Permission denied") as caught:
        compact(archive)
    assert "drop-damaged" not in str(caught.value)
    monkeypatch.undo()
    assert verify(archive) == []
    path.rename(tmp_path / "elsewhere")  # as where a disk is not mounted
    (fault,) = verify(archive, drop_damaged=True)
    assert (fault.damaged, "mount the disk" in fault.reason) == (False, True)
    path.with_name("other").touch()
    (fault,) = verify(archive, drop_damaged=True)
    assert (fault.damaged, fault.reason) == (True, "is missing")
    assert archive.info.files == 0


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number)) for number in (errno.EMFILE, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)),
        pa.ArrowMemoryError("malloc of size 5 failed"),
    ],
    ids=str,
)
@pytest.mark.parametrize("at", ["open", "read", "digest"])
def test_what_the_system_refuses_is_not_damaged(tmp_path, monkeypatch, error, at):
    archive = make_archive(tmp_path / "a", random_codes(ROWS, BITS))

    def refuse(*_, **__):
        raise error

    kind, name = {"open": (pq, "ParquetFile"), "read": (pq.ParquetFile, "read"), "digest": (parts, "checksum")}[at]
    with monkeypatch.context() as patched:
        patched.setattr(kind, name, refuse)
        (fault,) = verify(archive, drop_damaged=True)
    assert (fault.damaged, "cannot be read now" in fault.reason, "damaged" in fault.reason) == (False, True, False)
    assert verify(archive) == []
    assert archive.info.rows == ROWS


def test_each_bit_of_a_file_is_known_by_verify(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(500, BITS))
    path = archive.root / archive.parts[0].name
    content = path.read_bytes()
    for at in np.linspace(0, len(content) - 1, 60).astype(int):
        path.write_bytes(flipped(content, at))
        (fault,) = verify(archive)
        assert fault.damaged
    path.write_bytes(content)
    assert verify(archive) == []


def test_changed_values_are_not_read_or_written_anew_as_if_they_were_whole(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(4000, 64), parts=2)
    path = archive.root / archive.parts[0].name
    content = path.read_bytes()
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    assert column.path_in_schema == "code0"
    middle = column.data_page_offset + column.total_compressed_size // 2
    path.write_bytes(flipped(content, middle))
    for read in (archive.codes, lambda: compact(archive), lambda: remove(archive, archive.parts[0].first)):
        with pytest.raises(DataError, match="is damaged .*CRC"):
            read()
    (fault,) = verify(archive, drop_damaged=True)
    assert (fault.damaged, fault.rows, archive.info.rows) == (True, 2000, 2000)


def test_files_of_before_are_read_counted_and_get_digests_by_compaction(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(ROWS, BITS))
    before = archive.rows().to_pylist()
    without_digests(archive)
    archive = Archive.open(archive.root)
    assert archive.rows().to_pylist() == before
    assert [part.digest for part in archive.parts] == [""]
    checked = CliRunner().invoke(commands, ["verify", str(archive.root)])
    assert checked.exit_code == 0
    assert "not known of 1 file, written when no digest was kept" in checked.output
    assert checked.output.splitlines()[-1] == f"0 damaged files; 1 file, {ROWS} items in all"
    assert CliRunner().invoke(commands, ["compact", str(archive.root)]).output == "1 file written anew\n"
    archive.refresh()
    assert [len(part.digest) for part in archive.parts] == [64]
    assert (verify(archive), archive.rows().to_pylist()) == ([], before)
    assert compact(archive, rows=2) == (1, 1)
    (part,) = archive.parts
    without_digests(archive)
    archive.refresh()
    compact(archive, rows=2)  # a file that is too large to be merged
    assert archive.parts[0].digest
    assert archive.parts[0].name != part.name


@pytest.mark.parametrize("digest", [5, None, "abc", "g" * 64])
def test_a_digest_that_is_none_is_refused(tmp_path, digest):
    archive = make_archive(tmp_path / "a", random_codes(ROWS, BITS))
    listed = json.loads((archive.root / PARTS).read_text())
    listed["parts"][0]["digest"] = digest
    (archive.root / PARTS).write_text(json.dumps(listed))
    with pytest.raises(DataError, match=r"parts.json is damaged: .* is no digest of a file"):
        Archive.open(archive.root)
