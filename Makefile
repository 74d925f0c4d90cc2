# Two commands matter: `make run` trains, evaluates and registers a student on the sample; `make test` runs the tests.
# Both build .venv first, and again whenever pyproject.toml has changed.
PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?= --quiet --disable-pip-version-check
# `make run INSTALL="uv pip install --python $(VENV)/bin/python"` builds the environment with uv.
INSTALL ?= $(VENV)/bin/python -m pip install $(PIP_FLAGS)
export PATH := $(abspath $(VENV))/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: run test lint dev clean help
run: $(VENV)/.installed  ## Train, evaluate and register a student on what params.yaml names
	@dvc repro
	@cotpd show

test: lint  ## Lint, then every test, the end-to-end run included
	@python -m pytest

lint: $(VENV)/.installed-dev  ## Check style, types and the workflow file
	@ruff check . && ruff format --check .
	@check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

dev: $(VENV)/.installed-dev  ## The environment for work on CoTPD itself

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed; name one: make run PYTHON=python3.12")'
	@echo "Building $(VENV): a few minutes, about 2.5 GB"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@$(INSTALL) -e '.[dev,llm]'
	@touch $@ $(VENV)/.installed

clean:  ## Remove what the pipeline made; the ledger, the registry and the DVC cache stay
	rm -rf data models reports dvc.lock

help:  ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'
