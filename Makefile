# zoo: everything starts with `make help`. Each target does its own set-up and is quick when nothing has changed.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Byte code makes WeasyPrint import three times as fast; some machines switch it off globally.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
MODELS ?= llama,mistral
OUT    ?= reports/out

.PHONY: help setup system report sync test check style lock bench soak oracle clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: system $(STAMP) ## make .venv with .venv/bin/zoo in it, and check the system libraries

system:
	@bash .ci/system-libraries

$(STAMP): pyproject.toml requirements.lock .ci/install
	@PYTHON="$(PYTHON)" bash .ci/install $(VENV)
	@touch $@

report: setup ## sync, then an HTML and a PDF comparison:  make report MODELS=llama,mistral
	@$(BIN)/zoo sync
	@$(BIN)/zoo report --models "$(MODELS)" --out "$(OUT)"

sync: setup ## bring the watch list into the database:  make sync ARGS="--top 50"
	@$(BIN)/zoo sync $(ARGS)

test: setup check ## all checks and all tests, with coverage
	@bash .ci/install $(VENV) at-hand
	@bash .ci/browser $(BIN)/python
	@$(BIN)/coverage erase
	@$(BIN)/python -m pytest -n $(JOBS) --cov=zoo --cov-report=term:skip-covered $(ARGS)

check: setup ## lint, types, migrations and generated files, all without changing anything
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m tests.generate --check

style: setup ## format, fix what can be fixed, and write the generated files again
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/python -m tests.generate

lock: setup ## choose the newest versions again and write requirements.lock
	@.uv/bin/uv pip compile pyproject.toml --extra dev --extra postgres --extra serve --universal --upgrade \
	  --no-header --no-annotate --no-emit-index-url -q -o requirements.lock

bench: setup ## speed and memory, as ratios to a named peer in the same run
	@$(BIN)/python -m benchmarks $(ARGS)

soak: setup ## thousands of models under faults of all kinds, the sync killed in between:  make soak ARGS="10000 12"
	@$(BIN)/python -m benchmarks.soak $(ARGS)

oracle: setup ## compare every architecture with transformers on the meta device (installs torch and transformers)
	@bash .ci/install $(VENV) oracle
	@$(BIN)/python -m tests.oracle compare $(ARGS)

clean: ## remove what the targets above have made
	rm -rf $(VENV) .uv build dist reports/out .coverage .coverage.* .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
