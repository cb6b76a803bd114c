"""The Dockerfile is linted, not built: the rules of hadolint that matter here, and that what it copies is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "docs" / "docker" / "Dockerfile"
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD", "EXPOSE"}
# Extras of the verbs that its first line names: `serve`, then `encode`, `search` and `browse`, then scenes.
NEEDED = {"serving", "browse", "geo"}

pytestmark = pytest.mark.skipif(not PATH.is_file(), reason="of a checkout")


def instructions(text):
    """The instructions as (name, arguments), continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def faults(text):
    """What is wrong with a Dockerfile, a sentence each."""
    steps = instructions(text)
    found = [f"{name} is not an instruction that this file uses" for name, _ in steps if name not in KNOWN]
    stages = {match.group(1) for name, rest in steps if name == "FROM" and (match := re.search(r" AS (\w+)$", rest))}
    user = "root"
    for name, rest in steps:
        if name == "FROM":
            image, _, stage = rest.partition(" AS ")
            if not stage:
                found.append(f"the stage from {image} has no name")
            if image not in stages and not re.search(r":\d[\w.-]*$", image):
                found.append(f"{image} is of no fixed version")
        elif name == "USER":
            user = rest
        elif name == "COPY" and "--from=" not in rest:
            *sources, _ = rest.split()
            found += [f"{source} is not there" for source in sources if not (ROOT / source).exists()]
        elif name == "RUN" and "pip install" in rest:
            if "--no-cache-dir" not in rest:
                found.append("pip keeps its cache in the image")
            extras = set(re.search(r"\[([\w,]*)\]", rest).group(1).split(","))
            found += [f"the extra {extra} is not installed" for extra in sorted(NEEDED - extras)]
        elif name == "RUN" and "apt-get install" in rest and "rm -rf /var/lib/apt/lists" not in rest:
            found.append("apt-get keeps its lists in the image")
        elif name in ("ENTRYPOINT", "CMD") and not rest.startswith("["):
            found.append(f"{name} runs a shell, which does not pass signals on")
    return found + (["what it runs, it runs as root"] if user in ("root", "0") else [])


def test_the_dockerfile_has_no_faults():
    assert faults(PATH.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("python:3.13-slim-bookworm AS build", "python AS build", "no fixed version"),
        ("USER dhnn", "", "as root"),
        ("--no-cache-dir", "", "keeps its cache"),
        (",browse,geo", "", "browse is not installed"),
        ("    && rm -rf /var/lib/apt/lists/* \\\n", "", "keeps its lists"),
        ("COPY tuning tuning", "COPY gone gone", "gone is not there"),
        ('ENTRYPOINT ["keras-dhnn"]', "ENTRYPOINT keras-dhnn", "runs a shell"),
        ("EXPOSE", "ADD", "ADD is not"),
    ],
)
def test_faults_are_found(old, new, fault):
    text = PATH.read_text(encoding="utf-8")
    assert old in text
    assert any(fault in one for one in faults(text.replace(old, new)))


def test_it_serves_by_options_that_there_are():
    from keras_dhnn.cli.serve import serve

    command = dict(instructions(PATH.read_text(encoding="utf-8")))["CMD"]
    options = re.findall(r"--(\w+)", command)
    assert set(options) <= set(serve.__annotations__)
