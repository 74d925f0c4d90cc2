# Two commands matter: `make run` trains, evaluates and registers a student on the sample; `make test` runs the tests.
# Both build .venv first, and again whenever pyproject.toml or setup.py has changed.
PYTHON ?= python3
VENV ?= .venv
# On a terminal pip shows its progress; a log does not need hundreds of lines.
PIP_FLAGS ?= $(if $(MAKE_TERMOUT),,--quiet) --disable-pip-version-check
# `make run INSTALL="uv pip install --python $(VENV)/bin/python"` builds the environment with uv.
INSTALL ?= $(VENV)/bin/python -m pip install $(PIP_FLAGS)
export PATH := $(abspath $(VENV))/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

# dvc.yaml's outputs, by name: data/, models/ and reports/ may hold files of yours as well.
OUTPUTS := data/prepared data/captions.jsonl data/answers.jsonl data/validated data/augmented data/extracted data/targets \
	models/baseline models/control models/teachers models/student \
	reports/checks reports/evaluation reports/metrics.json reports/registered.json

.PHONY: run test programs coverage stress lint dev params clean help project
run: project $(VENV)/.installed  ## Train, evaluate and register a student on what params.yaml names
	@python -m steps
	@dvc repro
	@cotpd show

# Two processes run the tests, each with one thread; the tests of a file stay in one of them.
PARALLEL ?= -n 2 --dist loadfile --no-loadscope-reorder
test: lint programs  ## Lint, then every test, the end-to-end run included
	@OMP_NUM_THREADS=1 python -m pytest $(PARALLEL)

# What the tests of pages and of shared state need beside Python; where it cannot be had, those tests are skipped.
programs:
	@missing=; { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || missing=chromium; \
		ls /usr/share/postgresql/*/extension/pg_trgm.control >/dev/null 2>&1 || missing="$$missing postgresql"; \
		if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing for the tests: $$missing"; apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi

coverage: $(VENV)/.installed-dev programs  ## Every test, with the branches that they cover; fails below the floor of pyproject.toml
	@OMP_NUM_THREADS=1 python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered --cov-report=html

stress: $(VENV)/.installed-dev  ## Damage data sets in 10,000 ways; race and kill promotions; edit, damage and kill runs through both doors
	@COTPD_STRESS=2000 python -m pytest tests/data/test_damage.py --timeout 3600
	@COTPD_STRESS=50 python -m pytest tests/registry/test_races.py --timeout 3600
	@COTPD_STRESS=100 python -m pytest -n 2 tests/agreement/test_agreement.py --timeout 3600
	@COTPD_STRESS=30 python -m pytest -n 2 tests/agreement/test_kills.py --timeout 3600

lint: $(VENV)/.installed-dev  ## Check style, types and the workflow file
	@ruff check . && ruff format --check . && mypy
	@check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

params: $(VENV)/.installed  ## Write the comments of params.yaml anew, from the descriptions in the code
	@python -m cotpd.pipeline.params_file

dev: $(VENV)/.installed-dev  ## The environment for work on CoTPD itself

project:
	@command -v git >/dev/null || { echo "git is missing, which DVC needs. Install it, for example: apt-get install git"; exit 1; }
	@git rev-parse --git-dir >/dev/null 2>&1 || { echo "DVC needs a git repository here (an unpacked archive has none). Run: git init"; exit 1; }
	@if [ -f $(VENV)/pyvenv.cfg ] && ! grep -qsF "$(abspath $(VENV))" $(VENV)/bin/activate; then \
		echo "$(VENV) was built in another folder, whose code it would run: building it again"; rm -rf $(VENV); fi

$(VENV)/bin/python: | project
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed; name one: make run PYTHON=python3.12")'
	@echo "Building $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install $(PIP_FLAGS) 'pip>=23.1'  # an older one, as Debian's, fails to build seqeval

$(VENV)/.installed: pyproject.toml setup.py | $(VENV)/bin/python
	@echo "Installing CoTPD's packages into $(VENV): a few minutes, about 2.5 GB, once"
	@$(INSTALL) -e '.[all]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml setup.py | $(VENV)/bin/python
	@echo "Installing CoTPD's packages and those of its tests into $(VENV): a few minutes, about 2.5 GB, once"
	@$(INSTALL) -e '.[dev,server]'
	@touch $@ $(VENV)/.installed

clean:  ## Remove what the pipeline made; the ledger, the registry and the DVC cache stay
	rm -rf $(OUTPUTS) $(addsuffix .part,$(OUTPUTS)) models/.baseline.* models/.student.* dvc.lock
	@rmdir data models reports 2>/dev/null || true

help:  ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'
