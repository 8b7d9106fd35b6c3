# make demo, make test: need Python 3.11 or newer and nothing else. make help lists the rest.
PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt $(PIP_FLAGS)

.DEFAULT_GOAL := help
.PHONY: help demo test lint format types check clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    train on the embedded photographs; ends with a table, figures and a report"
	@echo "make test    run the tests"
	@echo "make lint    look for mistakes and unformatted files (ruff)"
	@echo "make format  format all files (ruff)"
	@echo "make types   check the types (mypy)"
	@echo "make check   test, lint and types"
	@echo "make clean   remove the virtual environment and all caches"
	@echo "Settings: PYTHON=python3.12  VENV=.venv  PIP_FLAGS='--extra-index-url ...'"

demo: $(VENV)/.installed
	@echo "== demo: clapp-snn demo --force"
	@$(BIN)/clapp-snn demo --force

test: $(VENV)/.installed-dev
	@echo "== test: pytest"
	@$(BIN)/python -m pytest -q

lint: $(VENV)/.installed-dev
	@echo "== lint: ruff check, ruff format --check"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev
	@echo "== format: ruff format, ruff check --fix"
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

types: $(VENV)/.installed-dev
	@echo "== types: mypy"
	@$(BIN)/mypy

check: test lint types

clean:
	@echo "== clean: removing $(VENV) and caches"
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, but '$(PYTHON)' is not that;" \
	       "name one: make PYTHON=python3.11 ..." >&2; exit 1; }
	@echo "== environment: $(VENV), with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV) || { \
	  echo "could not make a virtual environment; on Debian and Ubuntu install python3-venv" >&2; \
	  rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo "== install: clapp-snn and what it needs, as pinned in constraints.txt (some minutes)"
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "== install: tools for tests and checks"
	@$(PIP) -e '.[dev]'
	@touch $@
