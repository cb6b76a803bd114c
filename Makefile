# Each target makes the virtual environment that it needs.
PYTHON ?= python3.11

.venv: setup.cfg
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --editable '.[test]'
	touch .venv

test: .venv
	.venv/bin/python -m pytest

quick: .venv
	.venv/bin/python -m pytest -m "not slow"

slow: .venv
	.venv/bin/python -m pytest -m slow

lint: .venv
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv
	.venv/bin/pip install --quiet mypy
	.ci/types .venv/bin/mypy

# The newest TensorFlow (Keras 3, NumPy 2; no tensorflow-addons) in an environment of its own, on any Python from 3.11.
.venv-newest: setup.cfg
	rm -rf .venv-newest
	.ci/newest .venv-newest
	touch .venv-newest

newest: .venv-newest
	.venv-newest/bin/python -m pytest -m "not slow"

format: .venv
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

# What the pages are made of: docstrings, for which archives must import what "scale" brings.
docs: .venv
	.venv/bin/pip install --quiet --editable '.[docs,scale]'
	.venv/bin/python -m sphinx -W --keep-going -q docs docs/_build

# The page of `browse`, from keras_dhnn/browse/web into keras_dhnn/browse/static, which is committed. Needs Node 20.
page:
	cd keras_dhnn/browse/web && npm ci && npm run types && npm run build

ci:
	.ci/run

.PHONY: test quick slow newest lint types format docs page ci
