import pytest
from rich.table import Table

from keras_dhnn.cli.tables import TextConsole, print_scores
from keras_dhnn.runs import Run


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_no_cell_is_cut_however_narrow_the_terminal(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    table = Table(title="a title that is wrapped where it is longer than the table is wide " * 4)
    cells = [f"0.{number}939 ± 0.0026" for number in range(8)]
    for number in range(len(cells)):
        table.add_column(f"{8 * number} bits", no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_row(*cells, "1234567.8")
    TextConsole().print_whole(table)
    out = capsys.readouterr().out
    assert all(cell in out for cell in (*cells, "56 bits", "seconds", "1234567.8"))
    assert "…" not in out


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("[red]roofs[/red]", "[red]roofs[/red]"),
        ("roofs[/closed]", "roofs[/closed]"),
        (":rocket: 12:30", ":rocket: 12:30"),
        ("\x1b[2Jcleared", "\\x1b[2Jcleared"),
    ],
)
def test_names_are_printed_as_they_are(name, printed, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    table = Table(name, title=name)
    table.add_row(name)
    console = TextConsole()
    console.print_whole(table)
    console.print(f"{name} failed")
    out = capsys.readouterr().out
    assert out.count(printed) == 4
    assert out.endswith(f"\n{printed} failed\n")


def test_a_wide_table_leaves_the_next_one_as_wide_as_the_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    console = TextConsole()
    wide = Table()
    wide.add_column("x" * 100, no_wrap=True)
    console.print_whole(wide)
    capsys.readouterr()
    console.print(Table("word " * 30))
    assert max(map(len, capsys.readouterr().out.splitlines())) == 40


@pytest.mark.parametrize(
    ("scores", "shown"), [((1.0, 0.5, 0.75, 0.9), "b 0.500, c 0.750, d 0.900"), ((1.0,) * 4, None)]
)
def test_hardest_classes_are_named_where_some_are_harder(scores, shown, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    metrics = {
        **{"synthetic": True, "data": "made", "map": None, "distinct_codes": 4, "queries": 4, "database": 8},
        **{"protocol": "grouped", "bits": 8, "seed": 0, "split": "abc"},
        "map_per_class": dict(zip("abcd", scores, strict=True)),
    }
    print_scores(Run(tmp_path), metrics)
    out = capsys.readouterr().out
    assert ("hardest classes" in out) == (shown is not None)
    assert shown is None or shown in out
