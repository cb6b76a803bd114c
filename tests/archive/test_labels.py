import json

import numpy as np
import pytest

from keras_dhnn.archive.calibration import measure
from keras_dhnn.archive.labels import join_labels, membership, split_labels
from keras_dhnn.archive.where import make_condition
from keras_dhnn.codes import hamming_distances
from keras_dhnn.errors import SettingError
from tests.archives import make_archive, random_codes

LABELS = ["forest|lake", "lake", None, "town", "forest", "", "snow|forest"]


def test_texts_are_labels():
    assert split_labels("b| a |b|") == ["b", "a"]
    assert split_labels(None) == split_labels(" | ") == []
    assert join_labels(["a", "b"]) == "a|b"
    assert join_labels([]) is join_labels(None) is None
    assert membership(["b|a", None, "c"]).tolist() == [[True, True, False], [False] * 3, [False, False, True]]


def test_items_of_several_labels_are_counted_and_found(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(7), label=LABELS)
    assert archive.labels() == {"forest": 3, None: 2, "lake": 2, "snow": 1, "town": 1}
    found = archive.search(random_codes(1), 9, where="has_label('forest')").table
    assert sorted(found["label"].to_pylist()) == ["forest", "forest|lake", "snow|forest"]
    assert len(archive.search(random_codes(1), 9, where="has_label('fore') or has_label('for%')")) == 0
    assert len(archive.search(random_codes(1), 9, where="not has_label('lake') and label <> ''")) == 3


@pytest.mark.parametrize(
    "text", ["has_label()", "has_label(label)", "has_label('a', 'b')", "has_label('a|b')", "h('a')"]
)
def test_other_calls_are_refused(text):
    with pytest.raises(SettingError, match="cannot be used"):
        make_condition(text, ["label"])


def test_one_label_in_common_is_right():
    codes = random_codes(60, 8, distinct=12)
    labels = [("a|b", "b", "c|a", None)[number % 4] for number in range(60)]
    found = measure(codes, labels, queries=60)
    sets, distances = [set(split_labels(label)) for label in labels], hamming_distances(codes, codes)
    pairs = [(i, j) for i in range(60) for j in range(60) if i != j and sets[i] and sets[j]]
    right, total = np.zeros(9), np.zeros(9)
    for i, j in pairs:
        total[distances[i, j]] += 1
        right[distances[i, j]] += bool(sets[i] & sets[j])
    # Isotonic regression keeps the sum.
    assert (found.precision * total).sum() == pytest.approx(right.sum())
    assert 0 < right.sum() < total.sum()


def test_lists_of_labels_in_a_parquet_file(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    from keras_dhnn.archive.vectors import open_vectors

    vectors = pa.array(np.ones((3, 4), np.float32).tolist(), pa.list_(pa.float32()))
    labels = pa.array([["lake", "forest"], [], None], pa.list_(pa.string()))
    pq.write_table(pa.table({"embedding": vectors, "labels": labels}), tmp_path / "a.parquet")
    file = open_vectors(tmp_path / "a.parquet")
    assert next(iter(file.batches())).columns == {"label": ["lake|forest", None, None]}
    assert file.labelled_sample(2)[1] == ["lake|forest", None]


def labelled_vectors(count, rng):
    """Vectors whose labels are a direction of small variance, which no rotation without labels looks at."""
    kinds = rng.integers(0, 3, count)
    vectors = rng.normal(size=(count, 24)) * np.where(np.arange(24) < 20, 1, 0.05)
    vectors[:, 20:23] += 0.25 * np.eye(3)[kinds]
    return vectors.astype(np.float32), kinds


def mean_precision(distances, same):
    order = np.argsort(distances, axis=1, kind="stable")
    right = np.take_along_axis(same, order, axis=1)
    precision = np.cumsum(right, axis=1) / np.arange(1, right.shape[1] + 1)
    return float(np.mean([row[hit].mean() for row, hit in zip(precision, right, strict=True)]))


def test_bits_of_labelled_vectors_are_learned_by_their_labels(tmp_path, monkeypatch, capfd):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    from keras_dhnn.archive import Archive
    from keras_dhnn.workflows.encode_vectors import vector_queries
    from tests.command_line import command_line

    run, (vectors, kinds) = command_line(monkeypatch, capfd), labelled_vectors(700, np.random.default_rng(0))
    names = np.array(["sea", "town", "moor|bog"])[kinds]

    def write(name, rows):
        lists = pa.array(vectors[rows].tolist(), pa.list_(pa.float32()))
        pq.write_table(pa.table({"embedding": lists, "label": names[rows].tolist()}), tmp_path / name)
        return tmp_path / name

    base, asked = write("base.parquet", slice(600)), write("asked.parquet", slice(600, 700))
    scores = {}
    for way in ("labels", "vectors"):
        how = [] if way == "labels" else ["--learn-by", way]
        status, out, _ = run("encode", "--embeddings", base, "--archive", tmp_path / way, "--bits", 16, "--json", *how)
        assert (status, json.loads(out)["learned_by"]) == (0, way)
        archive = Archive.open(tmp_path / way)
        codes = archive.codes().codes
        distances = hamming_distances(vector_queries(archive, asked)[1].codes, codes)
        scores[way] = mean_precision(distances, kinds[600:, None] == kinds[None, :600])
    assert scores["labels"] > 0.8 > 0.5 > scores["vectors"]
    few = write("few.parquet", slice(50))
    status, _, error = run("encode", "--embeddings", few, "--archive", tmp_path / "f", "--learn-by", "labels")
    assert (status, "Expected labels of 100 vectors" in error) == (2, True)
    status, _, error = run("encode", "--embeddings", few, "--archive", tmp_path / "f", "--learn-by", "x")
    assert (status, "--learn-by labels or vectors" in error) == (2, True)


def test_a_heads_arrays_are_the_head(monkeypatch):
    import tensorflow as tf

    from keras_dhnn.archive.learned import outputs_of
    from keras_dhnn.training import vector_head

    made, original = [], vector_head.hash_head
    monkeypatch.setattr(
        vector_head, "hash_head", lambda *given, **more: made.append(original(*given, **more)) or made[0]
    )
    vectors, kinds = labelled_vectors(200, np.random.default_rng(1))
    monkeypatch.setattr(vector_head, "_EPOCHS", 2)
    learned = vector_head.train_vector_head(vectors, np.eye(3, dtype=bool)[kinds], 16)
    expected = made[0](tf.constant(vectors)).numpy()
    np.testing.assert_allclose(outputs_of(vectors, learned), expected, rtol=1e-4, atol=1e-4)
