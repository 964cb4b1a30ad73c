# Everything happens in .venv; a second call installs nothing again.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --disable-pip-version-check -qq -c constraints.txt

export DO_NOT_TRACK := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true

ifeq ($(origin HOARFROST_REALDATA),undefined)
ifneq ($(wildcard ../shared/data/.),)
export HOARFROST_REALDATA := $(abspath ../shared/data)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help night test check bench bench-gpu results serve-local clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

night: $(VENV)/installed ## One whole night on a sample shop, in ./lake
	$(BIN)/hoarfrost demo

test: $(VENV)/installed-dev ## Run the tests, three files at a time: they wait a third of it
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: $(VENV)/installed-dev ## Lint, format, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-bench ## Run the benchmarks; each prints JSON
	@set -e; for file in $(filter-out $(addprefix tests/benchmarks/,gpu.py results.py published.py test_published.py),$(wildcard tests/benchmarks/*.py)); do \
		$(BIN)/python $$file; done

bench-gpu: $(VENV)/installed-dev ## Time training on CUDA against the CPU; prints JSON
	@$(BIN)/python tests/benchmarks/gpu.py

results: $(VENV)/installed-bench ## Compare all models on public data, write models/RESULTS.md
	@$(BIN)/python tests/benchmarks/results.py

serve-local: $(VENV)/installed ## Prefect, MLflow and two workers on this machine, until Ctrl-C
	$(BIN)/python -m flows.local_server --home build/local-server

clean: ## Remove everything made here but the lake
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first Python that is new enough and can make virtual environments.
$(BIN)/python:
	@for python in python3.11 python3 python3.12 python3.13; do \
		if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python --version)"; exec $$python -m venv $(VENV); fi; done; \
	echo "Hoarfrost needs Python 3.11 or newer with its venv module; none was found." >&2; exit 1

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Hoarfrost into $(VENV) (a few minutes the first time)"
	@$(INSTALL) -e .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Hoarfrost and its development tools into $(VENV) (a few minutes the first time)"
	@$(INSTALL) -e '.[dev]'
	@touch $(VENV)/installed $@

$(VENV)/installed-bench: $(VENV)/installed-dev
	@$(INSTALL) -e '.[bench]'
	@touch $@
