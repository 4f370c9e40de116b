# `make table2` and `make test` set the environment up where it is missing; nothing else is needed.

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3
CORES ?= all
profile ?=
peers ?=
CONFIG := $(if $(profile),--config profile=$(profile))
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Snakemake, MLflow and others keep things in the user's home. Who has none, as under a bare number in a
# container, or none that can be written, gets a place for them here; torch's cache is still read.
ifneq ($(shell test -w "$${XDG_CACHE_HOME:-$$HOME/.cache}" || test -w "$$HOME" || echo none),)
export XDG_CACHE_HOME := $(CURDIR)/.cache
export XDG_CONFIG_HOME := $(CURDIR)/.cache/config
export PIP_NO_CACHE_DIR := 1
ifneq ($(HOME),)
export TORCH_HOME ?= $(HOME)/.cache/torch
endif
endif
ifeq ($(HOME),)
export HOME := $(CURDIR)/.cache/home
endif
ifeq ($(LOGNAME)$(USER),)
export LOGNAME := $(shell id -un 2>/dev/null || id -u)
endif

.PHONY: all table1 table2 test lint format check reference soak bench bench-gpu site pictures env lock clean

all: env
	snakemake all --cores $(CORES) $(CONFIG)

table1: env
	snakemake reports/table1.md --cores $(CORES) $(CONFIG)

table2: env
	snakemake reports/table1.md reports/table2.md --cores $(CORES) $(CONFIG)

test: env
	pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: env
	ruff check
	ruff format --check
	mypy
	snakefmt --check Snakefile workflows
	python tests/system/lint_workflow.py

format: env
	ruff check --fix
	ruff format
	snakefmt Snakefile workflows

check: env
	topdb check $(if $(profile),--profile $(profile))

# Measures the reference of `topdb check` again: a dozen seeds of the mini profile.
reference: env
	snakemake reports/reference/mini.json --cores $(CORES) --forcerun reference --config profile=reference

# Every fault of the catalogue, thirty random ones in a row, and SLURM's; writes benchmarks/reliability.md.
soak: env
	python tests/system/faults/soak.py
	pytest tests/methods tests/statistics tests/system/test_clean_exits.py tests/system/test_documents.py --soak
	pytest tests/system tests/runs --soak -m soak

# The peers are for comparison alone and get a folder of their own. `peers=FOLDER` names one with the
# competitors' released codes (benchmarks/methods.py says which).
PEERS := torchreid==0.2.5 pyppbox-torchreid==1.4.1.0

bench: env
	pip install --quiet --no-deps --upgrade --target $(VENV)/peers $(PEERS)
	python benchmarks/workflow.py
	python benchmarks/retrieval.py --peers $(VENV)/peers
	python benchmarks/own_models.py
	python benchmarks/training.py --peers $(VENV)/peers
	$(if $(peers),python benchmarks/methods.py --peers $(peers))

bench-gpu: env
	pip install --quiet --no-deps --upgrade --target $(VENV)/peers $(firstword $(PEERS))
	python benchmarks/training.py --device cuda --peers $(VENV)/peers --out benchmarks/training-gpu.md

# The documentation site, in site/. Its packages stand apart: nothing else needs them. The variable
# silences an advertisement.
site: env
	$(LOCKED) requirements-docs.lock
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict

# The pictures of README.md and docs/, out of the reports of the last grid, by Chromium.
pictures: env
	python tools/pictures.py

env: $(READY)

# The lock names every package and the digests of its files, so that nothing is left to resolve or to
# trust; what comes as source is built by the locked setuptools. All cores compile. What does not
# compile are templates and other versions' files in packages, which nobody imports.
PIP := $(BIN)/python -m pip install -qq --no-deps --no-build-isolation
LOCKED := $(PIP) --require-hashes --no-compile --requirement

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "topdb needs Python 3.11 or newer; name one with PYTHON=python3.12 make ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "python3 lacks its venv module: apt-get install python3-venv"; exit 2; }
	@grep -A 1 '^setuptools==' requirements.lock > $(VENV)/setuptools.lock
	$(LOCKED) $(VENV)/setuptools.lock
	$(LOCKED) requirements.lock
	$(PIP) --editable .
	@$(BIN)/python -m compileall -qq -j 0 -x '/(tests?|testing)/' $(VENV)/lib topdb || true
	@touch $@

# Versions that stand are kept; `free="numpy scipy"` lets those move. uv gets a folder of its own.
lock: env
	pip install --quiet --no-deps --upgrade --target $(VENV)/uv uv
	python tools/lock.py --uv $(VENV)/uv/bin/uv $(free)

# Runs in results/ are worth hours and stay.
clean:
	rm -rf reports/index.html reports/table*.md reports/figure* reports/metrics reports/plots logs
