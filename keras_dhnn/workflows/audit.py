"""Audit a split for leaks: how many queries find in the database the same picture that they show."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.evaluation.leakage.fingerprints import HASH_BITS
from keras_dhnn.evaluation.leakage.leaks import find_leaks
from keras_dhnn.evaluation.leakage.pairs import KINDS, Pair, find_pairs, groups_of
from keras_dhnn.evaluation.leakage.symmetries import NAMES, turned
from keras_dhnn.experiment.resolve import resolve_experiment
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.pipelines.groups import save_groups
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import colours, read_images
from keras_dhnn.progress import Bar, no_bar, show_progress
from keras_dhnn.report.figures.pairs import Side, pairs_figure
from keras_dhnn.report.figures.saving import save_figure
from keras_dhnn.runs import Run

DRAWN = 12


def audit(
    dataset: Path | str,
    *,
    protocol: str | None = None,
    queries: float | None = None,
    seed: int | None = None,
    run: Run | Path | str | None = None,
    groups: Path | str | None = None,
    group_pattern: str | None = None,
    write_groups: Path | str | None = None,
    threshold: int = 40,
    out: Path | str | None = None,
    bar: Bar = show_progress,
) -> dict[str, Any]:
    """Find images on both sides of a split that show the same: copies, near-duplicates, crops that share ground.

    Args:
        dataset: folder of the prepared data set.
        protocol: of the split, and with it `queries`, `seed`, `groups` and `group_pattern`: see `config.Data`; by
            default the split that `fit` draws.
        queries: see `protocol`.
        seed: of the split.
        run: look at the split of this run instead, finished or not.
        groups: see `protocol`.
        group_pattern: see `protocol`.
        write_groups: path to write to which images show the same, for the setting `data.groups`.
        threshold: largest distance of two perceptual hashes of 256 bits for lookalikes.
        out: path of the PNG file of the worst pairs; by default beside the data set.
        bar: progress bar factory.

    Returns:
        Dictionary for JSON, see `audit_split`.

    Raises:
        DataError: if the data set is not there, or something cannot be written.
        SettingError: if both a run and settings of a split are given.
    """
    dataset = Path(dataset)
    info = DatasetInfo.load(dataset)
    asked: dict[str, Any] = {"protocol": protocol, "queries": queries, "group_pattern": group_pattern, "seed": seed}
    asked |= {"settings": None if groups is None else {"data.groups": str(groups)}}
    split = _split(info, run, {name: value for name, value in asked.items() if value is not None})
    figure = Path(out) if out is not None else dataset.parent / f"{dataset.name}-{split.protocol}-leaks.png"
    return audit_split(info, split, threshold=threshold, figure=figure, groups_file=write_groups, bar=bar)


def _split(info: DatasetInfo, run: Run | Path | str | None, asked: dict[str, Any]) -> Split:
    """Return the split of a run, or else the one that `fit` draws if it is asked the same."""
    if run is None:
        folder = info.directory.resolve()
        experiment = resolve_experiment(folder.name, data=folder.parent, **asked)
        return draw_split(experiment.data, experiment.seed, info)
    if asked:
        raise SettingError(
            "--run names a split that exists. Leave out --protocol, --queries, --groups, --group-pattern and --seed."
        )
    opened = Run.open(run.path if isinstance(run, Run) else run, finished=False)
    opened.check_data(info)
    return Split.load(opened.split_path)


def audit_split(
    info: DatasetInfo,
    split: Split,
    *,
    threshold: int,
    figure: Path,
    groups_file: Path | str | None = None,
    bar: Bar = no_bar,
) -> dict[str, Any]:
    """Audit a split, draw the worst pairs that stand on both of its sides, and write down what belongs together.

    Args:
        info: `DatasetInfo`.
        split: a `Split` of it.
        threshold: see `leakage.pairs.find_pairs`.
        figure: path of the PNG file to draw.
        groups_file: path to write groups to, or None.
        bar: progress bar factory.

    Returns:
        Dictionary for JSON: the split, `affected` (queries by what of theirs is in the database), `pairs` (all of them,
        those on both sides first, the worst first), and what was written.

    Raises:
        DataError: if something cannot be written.
    """
    pairs = find_pairs(info, threshold, bar)
    leaks = find_leaks(pairs, split, info.count)
    groups = groups_of(pairs, info.count)
    order = np.argsort(~leaks.across, kind="stable")
    worst = [pairs[number] for number in order if leaks.across[number]][:DRAWN]
    if worst:
        _draw(info, worst, f"{info.name}, {split.protocol}: on both sides of the split", figure)
    if groups_file is not None:
        save_groups(groups_file, groups, info)
    sizes = np.bincount(groups)
    affected = {"itself": leaks.itself, **leaks.by_kind, "any": leaks.any}
    return {
        "data": info.name,
        "checksum": info.checksum,
        "synthetic": info.synthetic,
        "images": info.count,
        "protocol": split.protocol,
        "seed": split.seed,
        "queries": len(split.queries),
        "database": len(split.database),
        "threshold": threshold,
        "affected": {name: int(queries.sum()) for name, queries in affected.items()},
        "found": {kind: _found(kind, pairs, leaks.across) for kind in KINDS},
        "pairs": [_describe(info, pairs[number], bool(leaks.across[number])) for number in order],
        "groups": {"count": int((sizes > 1).sum()), "images": int(sizes[sizes > 1].sum()), "largest": int(sizes.max())},
        "figure": str(figure) if worst else None,
        "groups_file": None if groups_file is None else str(groups_file),
    }


def _found(kind, pairs, across):
    of_kind = np.array([pair.kind == kind for pair in pairs], bool)
    return {"pairs": int(of_kind.sum()), "across": int((of_kind & across).sum())}


def _describe(info, pair, across):
    labels = info.labels[[pair.first, pair.second]]
    return {
        "kind": pair.kind,
        "first": str(info.ids[pair.first]),
        "second": str(info.ids[pair.second]),
        "same_class": bool(labels[0] == labels[1]),
        "across": across,
        "what": in_words(pair),
        "symmetry": NAMES[pair.symmetry],
        "distance": pair.distance,
        "share": pair.share,
        "correlation": pair.correlation,
    }


def _draw(info, pairs, title, path):
    numbers = np.unique([(pair.first, pair.second) for pair in pairs])
    images = {number: colours(image, info) for number, image in read_images(info, numbers)}
    sides = []
    for pair in pairs:
        first, second = images[pair.first], turned(images[pair.second], pair.symmetry)
        frames = _frames(first.shape, second.shape, pair.shift) if pair.kind == "overlap" else (None, None)
        names = str(info.ids[pair.first]), str(info.ids[pair.second])
        sides.append((Side(first, names[0], frames[0]), Side(second, names[1], frames[1]), in_words(pair)))
    try:
        save_figure(pairs_figure(sides, title), path, dpi=150)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}. Choose another place by --out.") from error


def in_words(pair: Pair) -> str:
    """Return what two images have in common."""
    texts = {
        "copy": "equal pixels",
        "lookalike": f"look alike ({pair.distance} of {HASH_BITS} bits differ)",
        "overlap": f"{pair.share:.0%} of the ground shared",
    }
    return texts[pair.kind] + (f", {NAMES[pair.symmetry]}" if pair.symmetry else "")


def _frames(first, second, shift):
    """Return (top, left, height, width) of what both show, in each image, if the second is moved by `shift`."""
    start = np.maximum(shift, 0)
    end = np.minimum(first[:2], np.add(second[:2], shift))
    return (*start, *(end - start)), (*(start - shift), *(end - start))
