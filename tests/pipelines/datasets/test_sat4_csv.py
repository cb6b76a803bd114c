import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets import sat4_csv
from keras_dhnn.pipelines.datasets.sat4_csv import read_rows


@pytest.mark.parametrize("chunk", [1, 7, 50, 1 << 20])
@pytest.mark.parametrize("columns", [1, 4, 30])
def test_rows_are_what_numpy_reads(tmp_path, monkeypatch, columns, chunk):
    monkeypatch.setattr(sat4_csv, "_CHUNK", chunk)
    expected = np.random.default_rng(0).integers(0, 256, (23, columns))
    np.savetxt(tmp_path / "a.csv", expected, "%d", ",")
    found = list(read_rows(tmp_path / "a.csv", columns))
    assert all(rows.dtype == np.uint8 for rows in found)
    np.testing.assert_array_equal(np.concatenate(found), expected)
    assert (len(found) > 1) == (chunk < 1 << 20)


@pytest.mark.parametrize("text", ["1,20\n255,0\n", "1,20\n255,0", "1,20\r\n255,0\r\n", "001,20\n255,00\n"])
def test_ends_of_lines_and_leading_zeros(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode())
    np.testing.assert_array_equal(np.concatenate(list(read_rows(tmp_path / "a.csv", 2))), [[1, 20], [255, 0]])


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("1", "1 columns"),
        ("1,2,3", "3 columns"),
        ("", "1 columns"),
        ("1,256", "'256'"),
        ("1,1000", "'1000'"),
        ("-1,2", "'-1'"),
        ("1.0,2", "'1.0'"),
        ("x0,2", "'x0'"),
        (",2", "''"),
        ("1, 2", "' 2'"),
        ("1;2", "1 columns"),
        ('"1",2', "'\"1\"'"),
        ("1,2\r1,2", "3 columns"),
        ("1,2\r\r", "'2"),
        ("é,2", r"'é'"),
    ],
)
@pytest.mark.parametrize("place", [0, 5])
@pytest.mark.parametrize("chunk", [9, 1 << 20])
def test_a_wrong_row_is_named(tmp_path, monkeypatch, row, found, place, chunk):
    monkeypatch.setattr(sat4_csv, "_CHUNK", chunk)
    rows = ["1,2"] * 9
    rows[place] = row
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    message = rf"a.csv, row {place + 1}: expected 2 whole numbers from 0 to 255 between commas. Found: {found}"
    with pytest.raises(DataError, match=message):
        list(read_rows(tmp_path / "a.csv", 2))


def test_a_row_without_end_is_refused_before_memory_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(sat4_csv, "_CHUNK", 100)
    (tmp_path / "a.csv").write_text("1," * 100_000)
    with pytest.raises(DataError, match=r"row 1: expected 2 whole numbers"):
        list(read_rows(tmp_path / "a.csv", 2))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"Cannot read .*a.csv: No such file"):
        list(read_rows(tmp_path / "a.csv", 2))
