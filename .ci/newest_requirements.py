"""Print what setup.cfg installs on Python 3.12, for a Python 3.11 that takes the newest TensorFlow by choice."""

import configparser
from pathlib import Path

from packaging.requirements import Requirement

config = configparser.ConfigParser(inline_comment_prefixes=None)
config.read(Path(__file__).resolve().parent.parent / "setup.cfg")
lines = config["options"]["install_requires"] + config["options.extras_require"]["test"]
for line in lines.splitlines():
    text = line.partition(" #")[0].strip()
    if text and not text.startswith("#"):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"python_version": "3.12"}):
            requirement.marker = None
            print(requirement)
