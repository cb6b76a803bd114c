import duckdb
import pytest

from tests.archives import make_archive, random_codes


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{outside}')",
        "COPY (SELECT 1) TO '{outside}.csv'",
        "ATTACH '{outside}.db' AS other",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "INSTALL httpfs",
    ],
)
def test_the_database_reaches_no_file_beside_the_archive(tmp_path, sql):
    """Whatever came through the conditions would still meet a database that is shut off."""
    archive = make_archive(tmp_path / "a", random_codes(5))
    (tmp_path / "secret").write_text("x")
    archive.search(random_codes(1), 1)
    with pytest.raises(duckdb.Error):
        archive._engine.cursor().execute(sql.format(outside=tmp_path / "secret"))
    assert not (tmp_path / "secret.csv").exists()
