# Each goal sets up what it needs, on a machine with Python 3.11 or later, pip, git and make; uv is used when it works.
#   make demo [DATA=FILE]   start the servers, migrate, import, show      make test    the linters and every test
#   make check              what is quick, under a minute                 make bench   against the bare driver
#   make planted            mistakes made on purpose: do the tests catch them
#   make format             what ruff mends by itself                     make docs    the generated pages
#   make setup              only the environment                          make clean   stop the servers, remove all of it

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := check
.PHONY: setup demo test check lint bench planted format docs clean

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest

# A name on PATH may be a shim that fails, so each candidate is asked, and for what a new environment needs as well.
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; \
	done)

setup: $(STAMP)

$(STAMP): pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "error: no Python 3.11 or later with venv found; set PYTHON=..." >&2; exit 1; fi
	@echo "installing into $(VENV) with $(PYTHON)"
	@rm -f $@
	@if uv --version >/dev/null 2>&1 \
		&& uv venv --quiet --clear --python "$(PYTHON)" $(VENV) \
		&& uv pip install --quiet --python $(BIN)/python --editable . --group dev; then :; else \
		$(PYTHON) -m venv --clear $(VENV); \
		$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'; \
		$(BIN)/python -m pip install --quiet --editable . --group dev; \
	fi
	@touch $@

demo: setup
	@$(BIN)/chatcore demo $(if $(DATA),--data "$(DATA)")

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python alembic/write_initial.py --check
	$(BIN)/python docs/generate.py --check

check: lint
	$(PYTEST) -n $(WORKERS) -m "not postgres" tests/project tests/domain tests/services tests/contracts

test: lint
	$(PYTEST) -n $(WORKERS) --ignore tests/benchmarks tests

bench: setup
	$(BIN)/python -m tests.benchmarks

planted: setup
	$(BIN)/python -m tests.planted

format: setup
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: setup
	$(BIN)/python alembic/write_initial.py
	$(BIN)/python docs/generate.py

clean:
	@if [ -x $(BIN)/chatcore ]; then \
		$(BIN)/chatcore dev stop --delete; \
		$(BIN)/chatcore dev stop --delete --folder .chatcore/tests; \
	fi
	rm -rf .chatcore $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build site
