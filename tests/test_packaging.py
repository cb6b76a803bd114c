"""The wheel, the source distribution and the bare checkout import alike."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROBE = """
import keras_dhnn, keras_dhnn.pipelines.splits, keras_dhnn.saved_models, keras_dhnn.tuning, keras_dhnn.codes
print(keras_dhnn.__file__, keras_dhnn.pipelines.splits.__file__, sep="\\n")
"""


def run(*command, cwd, path=""):
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONSAFEPATH": ""}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def imported_from(cwd, path):
    """Folders of the package and of its pipelines, as a Python process in `cwd` finds them."""
    return [Path(line).parent for line in run(sys.executable, "-c", PROBE, cwd=cwd, path=path).splitlines()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what git tracks, so that building leaves nothing in the real one."""
    folder = tmp_path_factory.mktemp("checkout") / "keras-dhnn"
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not in a git checkout")
    for name in listing.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def distributions(checkout, tmp_path_factory):
    """The source distribution, and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ".", cwd=checkout)
    return {"sdist": next(out.glob("*.tar.gz")), "wheel": next(out.glob("*.whl"))}


def test_wheel_holds_one_top_level_name(distributions):
    with zipfile.ZipFile(distributions["wheel"]) as wheel:
        names = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"keras_dhnn"}


def test_wheel_holds_every_module_of_the_checkout(checkout, distributions):
    with zipfile.ZipFile(distributions["wheel"]) as wheel:
        packed = {name for name in wheel.namelist() if name.endswith(".py")}
    expected = {str(path.relative_to(checkout)) for path in (checkout / "keras_dhnn").rglob("*.py")}
    for folder in ("pipelines", "saved_models", "tuning"):
        expected |= {f"keras_dhnn/{path.relative_to(checkout)}" for path in (checkout / folder).rglob("*.py")}
    assert packed == expected


def test_wheel_tells_type_checkers_that_it_has_types(distributions):
    with zipfile.ZipFile(distributions["wheel"]) as wheel:
        assert "keras_dhnn/py.typed" in wheel.namelist()


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installed_package_imports_outside_and_inside_the_checkout(kind, checkout, distributions, tmp_path):
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"),
        *("--target", tmp_path / "site", distributions[kind]),
        cwd=tmp_path,
    )
    assert imported_from(tmp_path, tmp_path / "site") == [
        tmp_path / "site" / "keras_dhnn",
        tmp_path / "site" / "keras_dhnn" / "pipelines",
    ]
    # In a checkout the checkout wins, whole.
    assert imported_from(checkout, tmp_path / "site") == [checkout / "keras_dhnn", checkout / "pipelines"]


def test_bare_checkout_imports_without_an_install(checkout):
    command = (sys.executable, "-S", "-c", "import keras_dhnn, keras_dhnn.pipelines.datasets as s; print(s.__file__)")
    assert Path(run(*command, cwd=checkout).strip()) == checkout / "pipelines" / "datasets" / "__init__.py"


def test_editable_install_imports_outside_the_checkout(checkout, tmp_path):
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-build-isolation"),
        *("--editable", checkout),
        cwd=tmp_path,
        path=os.pathsep.join(sys.path),
    )
    command = (python, "-c", "import keras_dhnn, keras_dhnn.pipelines.datasets as s; print(s.__file__)")
    assert Path(run(*command, cwd=tmp_path).strip()) == checkout / "pipelines" / "datasets" / "__init__.py"


def test_without_the_packages_of_archives_the_extra_is_named():
    code = (
        "import sys; sys.modules['duckdb'] = None; sys.argv = ['keras-dhnn', 'search', '.', 'x.png']\n"
        "from keras_dhnn.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "Archives need packages" in result.stderr
    assert "pip install 'keras-dhnn[scale]'" in result.stderr
    assert "Traceback" not in result.stderr
