# make demo, make test: need Python 3.11 or newer and nothing else. make help lists the rest.
PYTHON ?= python3
VENV ?= .venv
ORACLE_VENV ?= .venv-oracle
PYTHON310 ?= python3.10
PIP_FLAGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt $(PIP_FLAGS)

.DEFAULT_GOAL := help
CHIPS := lava sinabs xylo spinnaker
.PHONY: help demo test slow oracle chips $(CHIPS) lint format types docs wheel check clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    train on the embedded photographs; ends with a table, figures and a report"
	@echo "make test    run the tests"
	@echo "make slow    run the tests that take longer: every published experiment whole, long learning"
	@echo "make oracle  compare our neurons with Brian2 and NEST, in an environment of its own"
	@echo "make chips   compare our chip models with lava, sinabs, xylosim and sPyNNaker (or one: make xylo)"
	@echo "make lint    look for mistakes and unformatted files (ruff)"
	@echo "make format  format all files (ruff)"
	@echo "make types   check the types (mypy)"
	@echo "make docs    build the site into build/site; a broken link or reference is an error"
	@echo "make wheel   build the wheel, install it away from the repository, run commands and examples there"
	@echo "make check   test, lint, types, docs and wheel"
	@echo "make clean   remove the virtual environments and all caches"
	@echo "Settings: PYTHON=python3.12  VENV=.venv  PYTHON310=python3.10  PIP_FLAGS='--extra-index-url ...'"

demo: $(VENV)/.installed
	@echo "== demo: clapp-snn demo --force"
	@$(BIN)/clapp-snn demo --force

test: $(VENV)/.installed-dev
	@echo "== test: pytest, one process a core (at most 8)"
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist loadfile

slow: $(VENV)/.installed-dev
	@echo "== slow: pytest -m slow, one process a core (at most 8)"
	@$(BIN)/python -m pytest -q -m 'slow and not oracle' -n auto --maxprocesses 8 --dist loadfile

oracle: $(ORACLE_VENV)/.installed
	@echo "== oracle: pytest -m oracle, against Brian2 and NEST (some minutes)"
	@OMP_NUM_THREADS=1 PYNEST_QUIET=1 $(ORACLE_VENV)/bin/python -m pytest -q -m oracle tests/oracle

# Tools of chips need other versions than this package: each has an environment of its own, whose Python the
# tests call. docs/howto/chips.md says what is compared.
chips: $(CHIPS)

lava: export CLAPP_LAVA_PYTHON = $(CURDIR)/.venv-lava/bin/python
sinabs: export CLAPP_SINABS_PYTHON = $(CURDIR)/.venv-sinabs/bin/python
xylo: export CLAPP_XYLOSIM_PYTHON = $(CURDIR)/.venv-xylo/bin/python
spinnaker: export CLAPP_SPYNNAKER_PYTHON = $(CURDIR)/.venv-spinnaker/bin/python
lava: TESTS := tests/hardware/test_loihi2.py
sinabs: TESTS := tests/export/test_sinabs.py tests/hardware/test_speck.py
xylo: TESTS := tests/hardware/test_xylo.py
spinnaker: TESTS := tests/hardware/test_spinnaker.py
$(CHIPS): %: .venv-%/.installed $(VENV)/.installed-dev
	@echo "== $@: pytest -m oracle $(TESTS)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m oracle $(TESTS)

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

# The variable silences what the theme says about the next version of MkDocs; ours is pinned.
docs: $(VENV)/.installed-dev
	@echo "== docs: mkdocs build --strict"
	@NO_MKDOCS_2_WARNING=1 PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m mkdocs build --strict

wheel: $(VENV)/.installed-dev
	@echo "== wheel: pytest -m slow tests/packaging"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m slow tests/packaging

check: test lint types docs wheel

clean:
	@echo "== clean: removing $(VENV), $(ORACLE_VENV), $(CHIPS:%=.venv-%) and caches"
	@rm -rf $(VENV) $(ORACLE_VENV) $(CHIPS:%=.venv-%) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
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
	@echo "== install: tools for tests, checks and the site"
	@$(PIP) -e '.[dev,docs]'
	@touch $@

# Brian2 2.9 needs an older NumPy than the package itself is pinned to.
$(ORACLE_VENV)/.installed: $(ORACLE_VENV)/.made pyproject.toml constraints.txt tests/oracle/requirements.txt
	@echo "== install: clapp-snn, Brian2 and NEST (some minutes)"
	@grep -v '^numpy==' constraints.txt > $(ORACLE_VENV)/constraints.txt
	@$(ORACLE_VENV)/bin/python -m pip --disable-pip-version-check install --quiet \
	  -c $(ORACLE_VENV)/constraints.txt $(PIP_FLAGS) -e . pytest hypothesis -r tests/oracle/requirements.txt
	@touch $@

.venv-lava/.installed: CHIP_PYTHON = $(PYTHON310)
.venv-sinabs/.installed .venv-xylo/.installed .venv-spinnaker/.installed: CHIP_PYTHON = $(PYTHON)
.venv-%/.installed: hardware/requirements-%.txt
	@command -v $(CHIP_PYTHON) >/dev/null || { \
	  echo "'$(CHIP_PYTHON)' is not there; lava needs Python 3.10: make PYTHON310=path/to/python3.10 lava" >&2; \
	  exit 1; }
	@echo "== environment: $(@D), with $$($(CHIP_PYTHON) --version)"
	@$(CHIP_PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check install --quiet $(PIP_FLAGS) -r $<
	@touch $@
