import json
import re

import numpy as np
import pytest

from keras_dhnn.archive import Archive, Identity, Queries
from keras_dhnn.archive.calibration import Calibration, calibrate, load_calibration, measure, with_precision
from keras_dhnn.codes import hamming_distances
from keras_dhnn.errors import DataError
from tests.archives import make_archive, random_codes, tile_rows


def noisy_classes(count, seed, classes=12, bits=64):
    """Codes round a centre for each class, some of them far from it."""
    rng, centres = np.random.default_rng(seed), random_codes(classes, bits, seed=99)
    labels = rng.integers(0, classes, count)
    flips = rng.random((count, bits)) < rng.uniform(0.02, 0.35, (count, 1))
    return centres[labels] ^ np.packbits(flips, axis=1), [f"c{label}" for label in labels]


def test_shares_are_counted_as_by_hand():
    codes = np.array([[0b00000000], [0b00000001], [0b00000011], [0b11111111]], np.uint8)
    found = measure(codes, ["a", "a", "b", None])
    # Distance 1: (0, 1) of one label twice, (1, 2) of two twice; distance 2: (0, 2) twice, never of one label.
    np.testing.assert_allclose(found.precision[:3], [0.5, 0.5, 0])
    # The three labelled items search the other three.
    assert found.background[[1, 2, 8]] * 9 == pytest.approx([4, 6, 9])


def test_precision_never_rises_with_distance_and_holds_for_others():
    codes, labels = noisy_classes(3000, seed=0)
    found = measure(codes, labels, queries=1000)
    assert (np.diff(found.precision) <= 0).all()
    queries, asked = noisy_classes(400, seed=1)
    distances = hamming_distances(queries, codes)
    right = np.array(asked)[:, None] == np.array(labels)[None]
    for distance in range(8, 30, 3):
        there = distances == distance
        assert abs(right[there].mean() - found.precision[distance]) < 0.05


@pytest.mark.parametrize("wanted", [0.7, 0.9])
def test_a_list_is_cut_where_held_out_queries_are_as_precise_as_asked(tmp_path, wanted):
    codes, labels = noisy_classes(3000, seed=0)
    archive = Archive.create(tmp_path / "a", Identity("a" * 64, 64))
    archive.append(tile_rows(codes, [f"{n:05d}" for n in range(3000)], label=labels))
    with pytest.raises(DataError, match="archive calibrate"):
        archive.search(codes[:1], precision=wanted)
    calibrate(archive)
    queries, asked = noisy_classes(300, seed=2)
    found = archive.search(queries, 2000, precision=wanted).table
    whole = archive.search(queries, 2000).table
    right = np.array(asked)[found["query"].to_numpy()] == found["label"].to_numpy()
    assert len(found) < len(whole)
    assert abs(right.mean() - wanted) < 0.06
    assert found["precision"].to_numpy().min() <= wanted


def test_ranks_of_a_cut_list_have_no_gaps(tmp_path):
    codes, labels = noisy_classes(1000, seed=0)
    features = np.random.default_rng(0).normal(size=(1000, 4))
    archive = Archive.create(tmp_path / "a", Identity("a" * 64, 64, features=4))
    archive.append(tile_rows(codes, [f"{n:05d}" for n in range(1000)], label=labels, features=features))
    calibrate(archive)
    queries = Queries(codes[:40], features=features[:40])
    found = archive.search(queries, 900, precision=0.9).table
    assert 40 < len(found) < 36_000
    for number in range(40):
        own = found["rank"].to_numpy()[found["query"].to_numpy() == number]
        assert own.tolist() == list(range(1, len(own) + 1))


def test_ranks_have_no_gap_where_features_put_what_is_cut_between(tmp_path):
    """Distances up to 64 / 16 bits are ordered by features alone: here 2, 4, 1, 3, as cosines fall."""
    signs = np.zeros((5, 64), np.uint8)
    for row, distance in enumerate((2, 4, 1, 3), 1):
        signs[row, :distance] = 1
    angles = np.array([0, 0.1, 0.2, 0.3, 0.4])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    codes = np.packbits(signs, axis=1)
    archive = Archive.create(tmp_path / "a", Identity("a" * 64, 64, features=2))
    archive.append(tile_rows(codes[1:], list("abcd"), label=["x"] * 4, features=features[1:]))
    queries = Queries(codes[:1], features=features[:1])
    whole = archive.search(queries, 4)
    assert whole.table["distance"].to_pylist() == [2, 4, 1, 3]
    precision = np.where(np.arange(65) <= 2, 1.0, 0.0)
    cut = with_precision(whole, Calibration(precision, precision, 1, 1), 0.9).table
    assert (cut["id"].to_pylist(), cut["rank"].to_pylist()) == (["a", "c"], [1, 2])


def test_without_labels_a_distance_is_set_against_random_pairs(tmp_path):
    codes = random_codes(2000, 64)
    archive = Archive.create(tmp_path / "a", Identity("a" * 64, 64))
    archive.append(tile_rows(codes, label=[None] * 2000))
    found = calibrate(archive)
    assert found.precision is None
    from scipy.stats import binom

    np.testing.assert_allclose(found.background, binom.cdf(np.arange(65), 64, 0.5), atol=0.01)
    assert "background" in archive.search(codes[:1], 3).table.column_names
    with pytest.raises(DataError, match="without labels"):
        archive.search(codes[:1], 3, precision=0.9)


def test_sources_are_calibrated_apart(tmp_path):
    codes, labels = noisy_classes(200, seed=0)
    archive = Archive.create(tmp_path / "a", Identity("a" * 64, 64))
    archive.append(tile_rows(codes, label=labels), "pan")
    archive.append(tile_rows(codes, label=[None] * 200), "mul")
    calibrate(archive, "pan")
    calibrate(archive, "mul")
    assert load_calibration(archive, "pan").precision is not None
    assert load_calibration(archive, "mul").precision is None
    empty = Archive.create(tmp_path / "b", Identity("a" * 64, 64))
    with pytest.raises(DataError, match="two at least"):
        calibrate(empty)


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (5, "its 'image' is int; expected dict"),
        ({"precision": None}, "lacks 'background'"),
        ({"background": 5}, "is int; expected list"),
        ({"background": [0.5] * 64}, "is not 65 numbers from 0 to 1"),
        ({"background": ["x"] * 65}, r"\[0\] is str; expected"),
        ({"precision": [float("nan")] * 65}, "is not 65 numbers from 0 to 1"),
        ({"precision": [-0.5] * 65}, "is not 65 numbers from 0 to 1"),
        ({"queries": "many"}, "is str; expected int"),
    ],
)
def test_a_damaged_calibration_is_named(tmp_path, kept, reason):
    archive = make_archive(tmp_path / "a", random_codes(30))
    calibrate(archive)
    path = archive.root / "calibration.json"
    whole = json.loads(path.read_text())["image"]
    if isinstance(kept, dict) and kept != {"precision": None}:
        kept = whole | kept
    path.write_text(json.dumps({"image": kept}))
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))} is damaged: .*{reason}.*archive calibrate"):
        Archive.open(archive.root).search(random_codes(1), 3)
    calibrate(archive)
    assert load_calibration(archive, "image").rows == whole["rows"]
