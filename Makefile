# The one entry. `make help` says what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
V := .venv/bin

.PHONY: help setup lock demo test test-fast check format bench docs build clean

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: .venv/.ready ## Make .venv with fraisier in it

.venv/.ready: requirements-dev.txt pyproject.toml
	@test -x $(V)/python || $(PYTHON) -m venv .venv
	@$(V)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(V)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: ## Resolve the dependencies anew into requirements*.txt
	$(V)/python -m pip install --quiet uv
	$(V)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command 'make lock' -o requirements.txt pyproject.toml
	$(V)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command 'make lock' --group dev -o requirements-dev.txt pyproject.toml

demo: setup ## See it work, on a scratch folder of its own
	@$(V)/python -m fraisier.testing.demo

test: setup ## Every test; installs the Debian packages they need when root
	@tests/prepare
	$(V)/python -m pytest -n auto $(ARGS)

test-fast: setup ## The tests that need no more than a moment
	$(V)/python -m pytest -n auto -m 'not slow and not systemd' $(ARGS)

check: setup ## Format, lint, types, layers, generated docs
	$(V)/ruff format --check .
	$(V)/ruff check .
	$(V)/mypy
	$(V)/lint-imports
	$(V)/python -m tests.docs_generated --check

format: setup ## Format and mend what can be mended by itself
	$(V)/ruff format .
	$(V)/ruff check --fix .

docs: setup ## Generate the reference pages from the schema and the commands
	$(V)/python -m tests.docs_generated

bench: setup ## Measure against the baselines; writes benchmarks/RESULTS.md
	$(V)/python -m benchmarks

build: setup ## A wheel in dist/
	$(V)/python -m hatchling build

clean: ## Remove what setup and the checks made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
