"""What `import tensorflow` writes on standard error: a package of that name stands in for it, in another process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOISE = 'import os; os.write(2, b"I0000 a note of C++\\n")\n'


def stderr_of_an_import(folder, package, **environment):
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow" / "__init__.py").write_text(NOISE + package, "utf-8")
    script = (
        "import sys; from keras_dhnn.cli.quiet_import import quieten_tensorflow; quieten_tensorflow()\n"
        "import tensorflow\n"
        "import gc; assert gc.isenabled()\n"
        "assert type(tensorflow.__spec__.loader).__name__ == 'SourceFileLoader'\n"
        "print('afterwards', file=sys.stderr)"
    )
    inherited = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    environment = {**inherited, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), **environment}
    answer = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    return answer.stderr


def test_an_import_is_quiet_and_what_comes_later_is_not(tmp_path):
    assert stderr_of_an_import(tmp_path, "") == "afterwards\n"


def test_an_import_is_without_searches_for_cycles(tmp_path):
    text = stderr_of_an_import(tmp_path, f"import gc; open({str(tmp_path / 'on')!r}, 'w').write(str(gc.isenabled()))")
    assert text == "afterwards\n"
    assert (tmp_path / "on").read_text("utf-8") == "False"


def test_a_failing_import_says_all(tmp_path):
    text = stderr_of_an_import(tmp_path, "raise ImportError('no such library')")
    assert "I0000 a note of C++" in text
    assert text.rstrip().endswith("ImportError: no such library")


@pytest.mark.parametrize("level", ["0", "2"])
def test_who_asks_for_the_notes_sees_them(tmp_path, level):
    assert stderr_of_an_import(tmp_path, "", TF_CPP_MIN_LOG_LEVEL=level) == "I0000 a note of C++\nafterwards\n"


def test_who_asks_for_errors_alone_sees_no_notes(tmp_path):
    assert stderr_of_an_import(tmp_path, "", TF_CPP_MIN_LOG_LEVEL="3") == "afterwards\n"
