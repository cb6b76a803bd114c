"""What `keras-dhnn archive` prints."""

import json

import numpy as np

from keras_dhnn.archive import dedupe
from tests.archives import make_archive


def test_groups_are_said_to_be_as_wide_as_they_are(run, tmp_path, monkeypatch):
    """b is 1 bit from a, and c is 3 others from b; each stands there twice."""
    codes = np.pad(np.array([[0], [0], [1], [1], [15], [15]], np.uint8), ((0, 0), (0, 7)))
    archive = make_archive(tmp_path / "a", codes, ids=["a1", "a2", "b1", "b2", "c1", "c2"])
    command = ("archive", "dedupe", archive.root, "--radius", 3)
    monkeypatch.setattr(dedupe, "_MOST_COMPARED", 3)
    assert run(*command)[1].splitlines()[0] == "group 1: 6 items, at most 4 bits apart"
    assert json.loads(run(*command, "--json")[1])[0]["widest"] == 4
    # Too many distinct codes to compare all.
    monkeypatch.setattr(dedupe, "_MOST_COMPARED", 2)
    assert run(*command)[1].splitlines()[0] == "group 1: 6 items, each at most 3 bits from another"
    assert json.loads(run(*command, "--json")[1])[0]["widest"] is None
    assert [group["widest"] for group in json.loads(run(*command[:3], "--json")[1])] == [0, 0, 0]
