# Every path below is relative, so that a folder with a space in its name needs no quoting.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lab bench lint clean

help:  ## what can be done here
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 14

# The trap: Ctrl-C is the run's, which leaves itself resumable; the shell waits for it.
run: .venv/.installed  ## a whole run in the terminal: PostgreSQL, the sandbox where no credentials are set, a report
	@mkdir -p reports
	@trap : INT; code=0; $(BIN)/collector run --report reports/ $(RUN_FLAGS) || code=$$?; \
	echo; echo 'Open the workbench in JupyterLab:  make lab'; exit $$code

# Two at once, but for a browser, a JupyterLab and a kernel: they need the machine to themselves.
test: .venv/.installed-test  ## all tests, against a real PostgreSQL
	@code=0; $(BIN)/python -m pytest -n 2 -m 'not browser' $(PYTEST_FLAGS) || code=$$?; \
	$(BIN)/python -m pytest -m browser $(PYTEST_FLAGS) || code=$$?; exit $$code

lab: .venv/.installed  ## JupyterLab, opened on the first notebook
	@$(BIN)/collector lab $(LAB_FLAGS)

bench: .venv/.installed-bench  ## measure: one table for each script in benchmarks/
	@set -e; for script in benchmarks/*.py; do [ -e "$$script" ] || continue; \
	echo "== $$script"; $(BIN)/python "$$script"; done

lint: .venv/.installed-lint  ## style, types and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:  ## stop the PostgreSQL that comes along; remove .venv and caches, never your data
	@if [ -x $(BIN)/collector ]; then $(BIN)/collector db stop || true; fi
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist htmlcov .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip reads its own variables split at spaces, hence the relative path. Older pips hand
# PIP_CONSTRAINT on to the environment that builds a package; newer ones want the second name.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Error: Python 3.11 or newer is needed and '$(PYTHON)' is not one. Name one: make PYTHON=python3.12 …" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "Error: '$(PYTHON)' cannot make a virtual environment. Install its venv module (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
@echo 'Installing into .venv; the first time takes a few minutes …'
@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 \
	$(BIN)/python -m pip install --quiet --editable '$(what)'
@touch .venv/.installed $@
endef

.venv/.installed: what := .
.venv/.installed-test: what := .[test]
.venv/.installed-lint: what := .[test,lint]
.venv/.installed-bench: what := .[test,bench]
.venv/.installed .venv/.installed-test .venv/.installed-lint .venv/.installed-bench: pyproject.toml constraints.txt
	$(install)
