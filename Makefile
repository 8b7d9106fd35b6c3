# make demo, make test: need Python 3.11 or newer and nothing else. make help lists the rest.
PYTHON ?= python3
VENV ?= .venv
ORACLE_VENV ?= .venv-oracle
PIP_FLAGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt $(PIP_FLAGS)

.DEFAULT_GOAL := help
.PHONY: help demo test oracle lint format types check clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    train on the embedded photographs; ends with a table, figures and a report"
	@echo "make test    run the tests"
	@echo "make oracle  compare our neurons with Brian2 and NEST, in an environment of its own"
	@echo "make lint    look for mistakes and unformatted files (ruff)"
	@echo "make format  format all files (ruff)"
	@echo "make types   check the types (mypy)"
	@echo "make check   test, lint and types"
	@echo "make clean   remove the virtual environments and all caches"
	@echo "Settings: PYTHON=python3.12  VENV=.venv  PIP_FLAGS='--extra-index-url ...'"

demo: $(VENV)/.installed
	@echo "== demo: clapp-snn demo --force"
	@$(BIN)/clapp-snn demo --force

test: $(VENV)/.installed-dev
	@echo "== test: pytest"
	@$(BIN)/python -m pytest -q

oracle: $(ORACLE_VENV)/.installed
	@echo "== oracle: pytest -m oracle, against Brian2 and NEST (some minutes)"
	@OMP_NUM_THREADS=1 PYNEST_QUIET=1 $(ORACLE_VENV)/bin/python -m pytest -q -m oracle tests/oracle

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
	@echo "== clean: removing $(VENV), $(ORACLE_VENV) and caches"
	@rm -rf $(VENV) $(ORACLE_VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made $(ORACLE_VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, but '$(PYTHON)' is not that;" \
	       "name one: make PYTHON=python3.11 ..." >&2; exit 1; }
	@echo "== environment: $(@D), with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(@D) || { \
	  echo "could not make a virtual environment; on Debian and Ubuntu install python3-venv" >&2; \
	  rm -rf $(@D); exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo "== install: clapp-snn and what it needs, as pinned in constraints.txt (some minutes)"
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "== install: tools for tests and checks"
	@$(PIP) -e '.[dev]'
	@touch $@

# Brian2 2.9 needs an older NumPy than the package itself is pinned to.
$(ORACLE_VENV)/.installed: $(ORACLE_VENV)/.made pyproject.toml constraints.txt tests/oracle/requirements.txt
	@echo "== install: clapp-snn, Brian2 and NEST (some minutes)"
	@grep -v '^numpy==' constraints.txt > $(ORACLE_VENV)/constraints.txt
	@$(ORACLE_VENV)/bin/python -m pip --disable-pip-version-check install --quiet \
	  -c $(ORACLE_VENV)/constraints.txt $(PIP_FLAGS) -e . pytest hypothesis -r tests/oracle/requirements.txt
	@touch $@
