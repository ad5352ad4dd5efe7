# Everything a person who works on Postilion types. `make help` lists it.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory --no-builtin-rules
PYTHON_BIN := .venv/bin
SET_UP := .venv/.set-up
# As many test processes as this machine has cores, but never more than four.
WORKERS ?= $(shell n=$$(nproc); echo $$((n > 4 ? 4 : n)))
# Hundreds of tests start servers, kill processes and race them on a shared machine. One that fails there is run once
# more, and listed as RERUN: a defect to mend, but not a reason to hold up the change of another.
RERUNS := $(if $(CI),--reruns 1 -raR)

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench crash lint format golden docs lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(SET_UP) ## Make .venv as requirements.lock says (done by the other targets)

$(SET_UP): requirements.lock pyproject.toml
	@.ci/setup

demo: $(SET_UP) ## Run the main job end to end on the example shop (DATA=orders.parquet: on your orders)
	@$(PYTHON_BIN)/python -m examples.demo $(if $(DATA),--data "$(DATA)")

test: lint ## Lint, check types and imports, and run all tests on SQLite and PostgreSQL (ARGS="-k name")
	@$(PYTHON_BIN)/python -m tests.databases
	@$(PYTHON_BIN)/python -m tests.programs
	@$(PYTHON_BIN)/python -m tests.engines
	@$(PYTHON_BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup $(RERUNS) $(ARGS)

bench: $(SET_UP) ## Measure (NAME=spine: runs benchmarks/spine.py; the last line is one JSON object)
	@$(if $(NAME),:,echo "say which one: $(foreach f,$(filter-out benchmarks/__init__.py,$(wildcard benchmarks/*.py)),make bench NAME=$(basename $(notdir $(f))))" >&2; exit 2)
	@$(PYTHON_BIN)/python -m benchmarks.$(NAME) $(ARGS)

crash: $(SET_UP) ## Kill workers 200 times in 20 launches of 10,000 mails and count (ARGS=--short: a quick look)
	@$(PYTHON_BIN)/python -m benchmarks.crash $(ARGS)

lint: $(SET_UP) ## Check style, types and the direction of imports
	@echo "lint: style"
	@$(PYTHON_BIN)/ruff check --quiet .
	@$(PYTHON_BIN)/ruff format --quiet --check . || { echo "some files are not formatted; run: make format" >&2; exit 1; }
	@echo "lint: types"
	@$(PYTHON_BIN)/mypy --no-error-summary
	@echo "lint: imports"
	@found="$$(PYTHONPATH=. $(PYTHON_BIN)/lint-imports --no-logo 2>&1)" || { echo "$$found"; exit 1; }

format: $(SET_UP) ## Format the code and sort imports
	@$(PYTHON_BIN)/ruff check --quiet --fix .
	@$(PYTHON_BIN)/ruff format --quiet .

golden: $(SET_UP) ## Rewrite the golden files from what the code does now; review the diff
	@$(PYTHON_BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup --golden $(ARGS)
	@git --no-pager diff --stat -- tests/golden

docs: $(SET_UP) ## Make the reference pages anew from the code
	@$(PYTHON_BIN)/python -m docs.generate

lock: ## Write requirements.lock anew from pyproject.toml, keeping versions (UPGRADE=1: newest ones)
	@.ci/lock $(if $(UPGRADE),--upgrade)

clean: ## Remove everything that was made here, .venv included
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
