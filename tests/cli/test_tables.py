import pytest
from rich.table import Table

from keras_dhnn.cli.tables import print_whole


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_no_cell_is_cut_however_narrow_the_terminal(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    table = Table(title="a title that is wrapped where it is longer than the table is wide " * 4)
    cells = [f"0.{number}939 ± 0.0026" for number in range(8)]
    for number in range(len(cells)):
        table.add_column(f"{8 * number} bits", no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_row(*cells, "1234567.8")
    print_whole(table)
    out = capsys.readouterr().out
    assert all(cell in out for cell in (*cells, "56 bits", "seconds", "1234567.8"))
    assert "…" not in out
