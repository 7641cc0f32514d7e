# make demo   simulate, refine, sharpen, report: the main job end to end (sets itself up first)
# make test   style, import rules, types and the quick tests           (sets itself up first)
#
# Everything is installed into .venv here. To use a particular torch build (CPU only, another CUDA version, ROCm):
#   make install TORCH_INDEX=<the index address that pytorch.org names for it>

PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := .venv/.ready
TORCH := $(shell grep '^torch==' constraints.txt)

export PYTHONWARNINGS ?= ignore::DeprecationWarning

.PHONY: help install demo test test-all bench check clean

help:
	@sed -n '1,2s/^# //p' Makefile
	@echo "make test-all   also the slow tests"
	@echo "make bench      the benchmarks"
	@echo "make clean      remove .venv, caches and the demo's results"

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "verglas needs Python 3.11 or newer; say which one: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || { echo "== making .venv"; $(PYTHON) -m venv .venv; }
	@$(BIN)/python -c 'import torch' 2>/dev/null || { \
	  echo "== installing $(TORCH)"; $(PIP) install -qq $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"; }
	@echo "== installing verglas and the tools for its tests"
	@$(PIP) install -qq -c constraints.txt -e '.[dev]'
	@touch $(READY)

demo: $(READY)
	@$(BIN)/verglas demo

check: $(READY)
	@echo "== ruff";         $(BIN)/ruff check src tests examples
	@echo "== import rules"; $(BIN)/lint-imports --no-logo
	@echo "== mypy";         $(BIN)/mypy

test: check
	@echo "== tests"
	@$(BIN)/pytest -q

test-all: check
	@echo "== all tests, the slow ones too"
	@$(BIN)/pytest -q -m '' --timeout=3600

bench: $(READY)
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
