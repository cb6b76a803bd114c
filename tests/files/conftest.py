import pytest


@pytest.fixture
def precious(tmp_path):
    """A folder of somebody else's, with a file."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    return folder
