"""The commands of the guides, run on tiny collections that are named as in the guides."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.pipelines.synthetic.ucmd_twin import ucmd_image
from tests.command_line import command_line

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"


def commands(guide):
    """The lines of a guide's blocks of shell commands that call us; "..." and comments are not commands."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (GUIDES / guide).read_text(encoding="utf-8"), flags=re.S | re.M)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("keras-dhnn ")]


def draw(folder, classes, side, bands=3):
    """Images of the synthetic twin of UC Merced, a folder a class, ten each."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            pixels = np.asarray(Image.fromarray(ucmd_image(0, 4 * label, number)).resize((side, side)))
            Image.fromarray(pixels if bands == 3 else pixels[..., 0]).save(folder / name / f"img{number}.png")


@pytest.fixture
def run(monkeypatch, capfd, tmp_path):
    """The command line, in a folder with the collections that the guides speak of."""
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "my-images", ("beach", "forest", "harbour"), 64)
    draw(tmp_path / "my-optical", ("beach", "harbour"), 64)
    draw(tmp_path / "my-radar", ("beach", "harbour"), 32, bands=1)
    for source, name in (("my-images", "some-image"), ("my-optical", "some-optical")):
        Image.open(tmp_path / source / "beach" / "img3.png").save(tmp_path / f"{name}.png")
    return command_line(monkeypatch, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("guides", [("your-images.md", "reading-a-score.md"), ("cross-source.md",)], ids=lambda g: g[0])
def test_every_command_of_a_guide_works(run, guides, tmp_path):
    given = [arguments for guide in guides for arguments in commands(guide)]
    assert len(given) >= 4
    for arguments in given:
        status, out, err = run(*arguments)
        assert status == 0, f"keras-dhnn {shlex.join(arguments)}\n{out}\n{err}"
    assert list((tmp_path / "runs").glob("*/figures/query-*.png")), "the picture that the guide promises"


@pytest.mark.parametrize("guide", sorted(path.name for path in GUIDES.glob("*.md")))
def test_pictures_of_guides_are_there(guide):
    text = (GUIDES / guide).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (GUIDES / target).exists(), target
