"""Print results as short tables on stdout."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from keras_dhnn.cli.printing import printable

if TYPE_CHECKING:
    from keras_dhnn.runs import Run


class TextConsole(Console):
    """Print results on stdout as text: a name or reason that comes from a file is neither markup nor emoji, and does
    not act on the terminal.

    Args:
        width: in columns; None: the terminal's.
    """

    def __init__(self, width: int | None = None) -> None:
        super().__init__(width=width, soft_wrap=True, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **how: Any) -> Text:
        """Return a text as it is printed, in a line of its own or as a cell."""
        return super().render_str(printable(text, lines=True), **how)

    def print_whole(self, table: Table) -> None:
        """Print a table as wide as its cells are, also where the terminal is narrower: a number that is cut says
        another thing.
        """
        needed = Measurement.get(self, self.options.update(max_width=10_000), table).maximum
        TextConsole(max(self.width, needed)).print(table)


def print_scores(run: "Run", metrics: Mapping[str, Any], *, kept: bool = True) -> None:
    """Print the scores of a run with their protocol, and where its parts are.

    Args:
        run: the `Run`.
        metrics: the dictionary of its `metrics.json`, or one like it.
        kept: whether that file holds them.
    """
    kind = "synthetic images: not comparable with published scores" if metrics["synthetic"] else "real images"
    table = Table(title=f"{run.path}: {metrics['data']}, {kind}", title_justify="left", show_header=False)
    for name, value in (*_score_rows(metrics), *_label_rows(metrics)):
        table.add_row(name, value)
    table.add_row("distinct codes", f"{metrics['distinct_codes']} among {metrics['database']}")
    for name, value in _health_rows(metrics.get("code_health")):
        table.add_row(f"  {name}", value)
    table.add_row(
        "protocol", f"{metrics['protocol']}, {metrics['queries']} queries, {metrics['database']} in the database"
    )
    table.add_row("bits, seed, split", f"{metrics['bits']}, {metrics['seed']}, {metrics['split']}")
    if "seconds" in metrics:
        table.add_row("seconds", f"{metrics['seconds']['total']:.0f}")
    worst = sorted(metrics.get("map_per_class", {}).items(), key=lambda item: item[1])
    worst, best = worst[:3], worst[-1:]
    if best and f"{worst[0][1]:.3f}" != f"{best[0][1]:.3f}":
        table.add_row("hardest classes", ", ".join(f"{name} {value:.3f}" for name, value in worst))
    console = TextConsole()
    console.print(table)
    for path, what in (
        (run.weights_path if run.weights_path.is_file() else run.model_path, "the trained network"),
        (run.path / ("codes-*.npz" if "tasks" in metrics else "codes.npz"), "hash codes of all items"),
        (run.metrics_path, "all scores" if kept else "the scores by the run's own labels"),
        (run.figures, "precision-recall curve, retrieval gallery"),
    ):
        console.print(f"{path}  {what}")
    console.print(f"Look inside: tensorboard --logdir {run.path.parent}")


def _score_rows(metrics):
    """Yield name and text of the scores; none where no label is known."""
    scores = metrics["map"]
    if scores is None:
        return
    yield "mean average precision", f"{scores['expected']:.4f}"
    for name, task in metrics.get("tasks", {}).items():
        yield f"  {name.replace('->', ' -> ')}", f"{task['map']['expected']:.4f}"
    if metrics.get("map_untrained") is not None:
        yield "  of the untrained network", f"{metrics['map_untrained']:.4f}"
    if metrics.get("map_float_features") is not None:
        yield "  of its float features, by cosine", f"{metrics['map_float_features']:.4f}"
    for name in ("stable", "pessimistic", "optimistic"):
        yield f"  {name} order of ties", f"{scores[name]:.4f}"
    for k, at_k in metrics.get("map_at", {}).items():
        yield f"mean average precision at {k}", f"{at_k['expected']:.4f}"
    for k, value in metrics["precision_at"].items():
        # Runs of earlier versions have none.
        best = metrics.get("best_precision_at", {}).get(k, 1.0)
        of_few = f" (at best {best:.4f})" if best < 1 else ""
        yield f"precision at {k}", f"{value:.4f}{of_few}"
    yield "precision within radius 2", f"{metrics['precision_within_radius_2']:.4f}"
    if "ndcg_at_100" in metrics:
        yield "NDCG at 100, of all", f"{metrics['ndcg_at_100']:.4f}, {metrics['ndcg']:.4f}"
        yield "weighted average precision", f"{metrics['weighted_map']:.4f}"
        yield "F1 at k", ", ".join(f"{k}: {value:.4f}" for k, value in metrics["f1_at"].items())


def _label_rows(metrics):
    """Yield name and text of what was learned from where labels are missing."""
    for k, share in metrics.get("neighbour_agreement", {}).items():
        yield f"float features' {k} neighbours found", f"{share:.4f}"
    used = metrics.get("labels_used")
    if used is not None:
        sure = "" if used["mean_margin"] is None else f", by a margin of {used['mean_margin']:.2f} on average"
        yield "labels given, inferred", f"{used['given']}, {used['inferred']}{sure}"


def _health_rows(health):
    """Yield name and text of what there is; runs of earlier versions have none."""
    if health is None:
        return
    yield "their entropy", f"{health['code_entropy']:.2f} bits"
    yield "bits that never change", f"{health['dead_bits']:g}"
    yield "imbalance of bits, mean", f"{health['mean_bit_imbalance']:.3f}"
    yield "correlation of bits, mean", f"{health['mean_absolute_correlation']:.3f}"
    yield "lost by taking signs", f"{health['quantization_gap']:.3f} a bit"
    distances = [(name, health[f"distance_{name}"]) for name in ("within", "between")]
    known = [f"{value:.1f} {name}" for name, value in distances if value is not None]
    if known:
        yield "bits that differ, mean", f"{', '.join(known)} classes"
