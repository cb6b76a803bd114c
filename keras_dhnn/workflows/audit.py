"""A leakage audit: how many queries find what they show in the database because it is the same picture."""

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.evaluation.leakage.fingerprints import HASH_BITS
from keras_dhnn.evaluation.leakage.leaks import find_leaks
from keras_dhnn.evaluation.leakage.pairs import KINDS, find_pairs, groups_of
from keras_dhnn.evaluation.leakage.symmetries import NAMES, turned
from keras_dhnn.pipelines.groups import save_groups
from keras_dhnn.pipelines.store.stored_images import colours, read_images
from keras_dhnn.progress import no_bar
from keras_dhnn.report.figures.pairs import Side, pairs_figure

DRAWN = 12


def audit(info, split, *, threshold, figure, groups_file=None, bar=no_bar):
    """Audits a split, draws the worst pairs that stand on both of its sides, and writes down what belongs together.

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
        pairs_figure(sides, title).savefig(path, dpi=150)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}. Choose another place by --out.") from error


def in_words(pair):
    """What two images have in common."""
    texts = {
        "copy": "equal pixels",
        "lookalike": f"look alike ({pair.distance} of {HASH_BITS} bits differ)",
        "overlap": f"{pair.share:.0%} of the ground shared",
    }
    return texts[pair.kind] + (f", {NAMES[pair.symmetry]}" if pair.symmetry else "")


def _frames(first, second, shift):
    """(top, left, height, width) of what both show, in each image, if the second is moved by `shift`."""
    start = np.maximum(shift, 0)
    end = np.minimum(first[:2], np.add(second[:2], shift))
    return (*start, *(end - start)), (*(start - shift), *(end - start))
