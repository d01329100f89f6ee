# Everything a fresh machine needs: Python 3.11 to 3.13, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test slow coverage gpu lint hooks docs clean

demo: $(VENV)/.installed  ## Few-bit networks of three families against real weights: accuracy, bytes, a report
	$(BIN)/mpnn compare configs/compare/demo.toml

test: $(VENV)/.installed-dev lint  ## What CI runs
	$(BIN)/python -m pytest -n auto --dist worksteal

slow: $(VENV)/.installed-dev  ## The tests that take longer
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow

coverage: $(VENV)/.installed-dev  ## Lines and branches that the fast tests reach; the pages are in build/coverage
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term:skip-covered --cov-report=html:build/coverage

gpu: $(VENV)/.installed-dev  ## What needs an accelerator: its tests, the steps' seconds; writes docs/experiments/accelerators.md
	$(BIN)/python -m experiments.benchmarks.accelerator

hooks: $(VENV)/.installed-dev  ## Check every commit, with the tools of this environment
	$(BIN)/pre-commit install

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.installed-docs  ## The site, in build/docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs build/docs
	@! grep -rlE '<(script|link|img|iframe)[^>]*(src|href)="(https?:)?//' --include='*.html' build/docs \
	  || { echo "These pages load something from the network, and cannot be read without one."; exit 1; }
	@echo "Site: build/docs/index.html"

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "mpnn needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) runs build dist
