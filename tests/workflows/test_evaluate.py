import numpy as np
import pytest

from keras_dhnn.evaluation.scores import evaluate_all
from keras_dhnn.files import write_json
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.workflows import evaluate
from tests.fakes import make_dataset
from tests.saved_models.serving.tiny_run import write_run


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn of a run, which is not drawn."""
    shown = []
    monkeypatch.setattr(
        evaluate, "write_report", lambda run, info, split, outputs, evaluations, scores, tsne: shown.extend(evaluations)
    )
    return shown


def test_evaluate_scores_the_stored_codes(tmp_path, drawn):
    """Rounded to float16 a tiny negative output is -0.0, whose bit is that of a positive one."""
    info = make_dataset(tmp_path / "made", count=30)[0]
    run = write_run(tmp_path / "run", info)
    random, labels = np.random.default_rng(0), np.repeat(info.true_labels, 4)
    outputs = {"image": random.choice([-1e-9, 1e-9], (len(labels), 16)).astype(np.float32)}
    run.save_outputs(outputs, labels)
    write_json(run.history_path, {})
    _, expected = evaluate_all(outputs, labels, Split.load(run.split_path), info, run.experiment.seed)
    metrics = evaluate.evaluate(run, data=tmp_path)
    assert (
        evaluate.evaluate(run, at=3, data=tmp_path)["map_at"] == evaluate.evaluate(run, at=[3], data=tmp_path)["map_at"]
    )
    assert expected["distinct_codes"] > 50
    assert {name: metrics[name] for name in ("map", "distinct_codes")} == {
        name: expected[name] for name in ("map", "distinct_codes")
    }
    assert len(np.unique(drawn[0].codes[1], axis=0)) == expected["distinct_codes"]
