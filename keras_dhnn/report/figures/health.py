"""Draw whether a code uses its bits and keeps classes apart, on one page."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from keras_dhnn.metrics.code_health import CodeHealth
from keras_dhnn.metrics.counting import RankingCounts
from keras_dhnn.report.figures.plain_text import plain_text

_BINS = 80


@plain_text
def health_figure(
    health: CodeHealth, *, counts: RankingCounts | None = None, outputs: ArrayLike | None = None, title: str = ""
) -> Figure:
    """Return balance and correlation of the bits; where known the hash outputs, and distances within and between
    classes.

    Args:
        health: CodeHealth, from `metrics.code_health`.
        counts: RankingCounts of queries in a database, from `metrics.counting.rank`, for histograms of the distances;
            without it only the means that `health` has are drawn.
        outputs: `(n, l)` real, outputs of the hash layer, for their histogram.
        title: data set, protocol, run.

    Returns:
        matplotlib Figure; its axes are labelled "balance", "correlation", "outputs" and "distances" (`get_label`), the
        last two only if there is something to draw.
    """
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    numbers = f"{health.codes:,} codes, {health.distinct_codes:,} distinct, entropy {health.code_entropy:.1f} bits"
    figure.suptitle(f"{title}\n{numbers}".lstrip())
    bits = len(health.bit_balance)
    _balance(figure.add_subplot(2, 2, 1, label="balance"), health.bit_balance)
    _correlation(figure, figure.add_subplot(2, 2, 2, label="correlation"), health.bit_correlation)
    if outputs is not None:
        _outputs(figure.add_subplot(2, 2, 3, label="outputs"), np.asarray(outputs))
    means = {"same class": health.distance_within, "other classes": health.distance_between}
    if counts is not None or any(mean is not None for mean in means.values()):
        _distances(figure.add_subplot(2, 2, 4, label="distances"), bits, means, counts)
    return figure


def _balance(axes, balance):
    axes.bar(range(len(balance)), balance, width=1.0)
    axes.axhline(0.5, color="black", linewidth=1)
    axes.set(title="Bit balance (0.5 is best)", xlabel="bit", ylabel="share of ones", ylim=(0, 1))
    axes.set_xlim(-0.5, len(balance) - 0.5)


def _correlation(figure, axes, correlation):
    image = axes.imshow(correlation, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set(title="Correlation of bits (0 is best)", xlabel="bit", ylabel="bit")
    figure.colorbar(image, ax=axes, label="correlation")


def _outputs(axes, outputs):
    """Draw outputs: near -1 and 1 they lose little when only their sign is kept; the axis ends at the largest, at least
    at 1.5.
    """
    limit = max(1.5, float(np.abs(outputs).max()))
    counts, edges = np.histogram(outputs, bins=_BINS, range=(-limit, limit))
    axes.stairs(counts / outputs.size, edges, fill=True)
    for ideal in (-1, 1):
        axes.axvline(ideal, color="black", linewidth=1)
    axes.set(title="Outputs of the hash layer (-1, 1 are best)", xlabel="output", ylabel="share", xlim=(-limit, limit))


def _distances(axes, bits, means, counts):
    edges = np.arange(bits + 2) - 0.5
    for number, (name, mean) in enumerate(means.items()):
        color = f"C{number}"
        if counts is not None:
            found = counts.relevant if number == 0 else counts.items - counts.relevant
            found = found.sum(axis=0)
            axes.stairs(found / max(found.sum(), 1), edges, fill=True, alpha=0.5, color=color, label=name)
        if mean is not None:
            axes.axvline(
                mean, color=color, linestyle="--", label=f"mean {mean:.1f}" if counts else f"{name}, {mean:.1f}"
            )
    axes.set(title="Hamming distances", xlabel="distance in bits", ylabel="share of pairs", xlim=(-0.5, bits + 0.5))
    axes.legend(fontsize="small")
