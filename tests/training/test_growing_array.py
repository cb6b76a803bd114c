import multiprocessing
import time

import numpy as np
import pytest

from keras_dhnn.training.growing_array import GrowingArray

ROWS = np.arange(20, dtype=np.float32).reshape(10, 2)


def begin(path, rows, shape=(10, 2)):
    array = GrowingArray(path, shape, np.float32)
    with array.own() as missing:
        assert missing
        array.append(rows)
    return array


def test_a_whole_array_is_a_numpy_file(tmp_path):
    array = GrowingArray(tmp_path / "deep" / "a.npy", (10, 2), np.float16)
    with array.own() as missing:
        assert missing
        for first in range(0, 10, 3):
            array.append(ROWS[first : first + 3])
        array.finish()
    loaded = np.load(array.path, mmap_mode="r")
    assert loaded.dtype == np.float16
    np.testing.assert_array_equal(loaded, ROWS)
    assert [path.name for path in array.path.parent.iterdir()] == ["a.npy"]


def test_it_goes_on_after_the_last_whole_row(tmp_path):
    begun = begin(tmp_path / "a.npy", ROWS[:4])
    with open(begun.growing, "ab") as file:
        file.write(b"\1\2\3")  # of a row that a kill has cut off
    array = GrowingArray(tmp_path / "a.npy", (10, 2), np.float32)
    with array.own():
        assert array.done == 4
        array.append(ROWS[4:])
        array.finish()
    np.testing.assert_array_equal(np.load(array.path), ROWS)


def test_what_was_begun_for_another_shape_is_begun_anew(tmp_path):
    begin(tmp_path / "a.npy", ROWS[:4])
    array = GrowingArray(tmp_path / "a.npy", (5, 2), np.float32)
    with array.own():
        assert array.done == 0
        array.append(ROWS[:5])
        array.finish()
    np.testing.assert_array_equal(np.load(array.path), ROWS[:5])


def test_a_finished_array_is_not_written_again(tmp_path):
    np.save(tmp_path / "a.npy", ROWS)
    with GrowingArray(tmp_path / "a.npy", (10, 2), np.float32).own() as missing:
        assert not missing


DAMAGES = {
    "empty": lambda content: b"",
    "cut in its header": lambda content: content[:50],
    "cut in a row": lambda content: content[:-20],
    "without its last row": lambda content: content[:-12],
    "longer": lambda content: content + b"x",
    "another header": lambda content: content.replace(b"(10, 2)", b"(20, 1)"),
    "a changed bit": lambda content: content[:-30] + bytes([content[-30] ^ 1]) + content[-29:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_array_is_dropped_and_said(tmp_path, damage, caplog):
    array = begin(tmp_path / "a.npy", ROWS[:4])
    again = GrowingArray(array.path, (10, 2), np.float32)
    with again.own():
        again.append(ROWS[again.done :])
        again.finish()
    again.drop_damaged()
    np.testing.assert_array_equal(np.load(array.path), ROWS)
    array.path.write_bytes(DAMAGES[damage](array.path.read_bytes()))
    again.drop_damaged()
    assert not array.path.exists()
    assert caplog.messages == [f"{array.path} is damaged: it is computed anew."]


def test_an_array_of_a_version_without_checksums_is_taken(tmp_path):
    np.save(tmp_path / "a.npy", ROWS)
    GrowingArray(tmp_path / "a.npy", (10, 2), np.float32).drop_damaged()
    assert (tmp_path / "a.npy").exists()


def test_a_kill_between_the_checksum_and_the_name_adds_no_row(tmp_path):
    array = GrowingArray(tmp_path / "a.npy", (10,), np.float16)
    with array.own():
        array.append(ROWS[:, 0])
    with open(array.growing, "ab") as file:
        file.write(b"\1\2\3\4")  # as long as two rows
    again = GrowingArray(tmp_path / "a.npy", (10,), np.float16)
    with again.own():
        assert again.done == 10
        again.finish()
    again.drop_damaged()
    np.testing.assert_array_equal(np.load(again.path), ROWS[:, 0])


def test_an_array_that_lacks_rows_is_not_finished(tmp_path):
    array = GrowingArray(tmp_path / "a.npy", (10, 2), np.float32)
    with array.own(), pytest.raises(ValueError, match="0 of 10 rows"):
        array.finish()
    assert not array.path.exists()


def _write_slowly(path, begun):
    array = GrowingArray(path, (10, 2), np.float32)
    with array.own():
        array.append(ROWS[:6])
        begun.set()
        time.sleep(1.5)
        array.append(ROWS[6:])
        array.finish()


def test_a_second_process_waits_for_the_first(tmp_path):
    context = multiprocessing.get_context("fork")
    begun = context.Event()
    writer = context.Process(target=_write_slowly, args=(tmp_path / "a.npy", begun))
    writer.start()
    assert begun.wait(20)
    seen = []
    with GrowingArray(tmp_path / "a.npy", (10, 2), np.float32).own(seen.append) as missing:
        assert not missing
    writer.join()
    assert seen[0] == 6
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), ROWS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


PIECE = 500


def _fill(path, log):
    """Write 100,000 rows in pieces, and note the first row of each piece that is computed."""
    array = GrowingArray(path, (100_000, 2), np.float32)
    with array.own() as missing, open(log, "a", encoding="utf-8") as computed:
        while missing and array.done < 100_000:
            print(array.done, file=computed, flush=True)
            # A kill in the middle of a write leaves a part of a piece, so that the last one may be shorter.
            numbers = np.arange(array.done, min(array.done + PIECE, 100_000))
            time.sleep(0.002)
            array.append(np.stack([numbers, numbers**2 % 1009], axis=1))
        if missing:
            array.finish()


def test_a_pass_that_is_killed_twelve_times_repeats_only_the_pieces_under_way(tmp_path):
    context, random = multiprocessing.get_context("fork"), np.random.default_rng(0)
    path, log = tmp_path / "a.npy", tmp_path / "log"
    for kill in range(13):
        process = context.Process(target=_fill, args=(path, log))
        process.start()
        if kill < 12:
            time.sleep(random.uniform(0.005, 0.06))
            process.kill()
        process.join()
    numbers = np.arange(100_000)
    np.testing.assert_array_equal(np.load(path), np.stack([numbers, numbers**2 % 1009], axis=1))
    computed = [int(line) for line in log.read_text().split()]
    assert len(set(computed)) >= 100_000 // PIECE
    assert len(computed) <= 100_000 // PIECE + 12
