# `make demo` and `make test` set up everything they need; see README.md.

PYTHON ?= python3
VENV   := .venv
STAMP  := $(VENV)/.installed
DEMO   := runs/demo
BENCH  := .venv-bench

# Recipes below read as a user types them: `python` and `tooltune` are the environment's.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: setup demo test bench lock docs clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("tooltune needs Python 3.11 or newer")'
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (torch is large: the first time takes a few minutes)"
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --requirement requirements.lock
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(VENV)/bin/python -c 'from tooltune.model.base import ensure_smollm2; ensure_smollm2()'
	@touch $@

# The main job on this machine: MCP servers in, a tuned and measured model out.
demo: $(STAMP)
	rm -rf $(DEMO)
	tooltune synth --config examples/mcp.json --out $(DEMO)/data --seed 7
	tooltune validate $(DEMO)/data/train.jsonl --model smollm2-135m
	tooltune train examples/demo.toml --out $(DEMO)
	tooltune evaluate $(DEMO) --config examples/mcp.json
	tooltune report $(DEMO)
	@echo "demo finished in $$(( $$(date +%s) - $(shell date +%s) )) s"

test: $(STAMP)
	ruff check
	ruff format --check
	mypy
	pytest --numprocesses 2 --dist loadfile --durations=15

# Side by side with TRL on this machine; narrow it with ARGS="--workload one-catalog --steps 1".
bench: $(BENCH)/.installed
	$(BENCH)/bin/python -m bench.run $(ARGS)

# An environment of its own: TRL brings libraries that tooltune does not need. Same versions otherwise.
$(BENCH)/.installed: requirements.lock pyproject.toml
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	@echo "installing into $(BENCH)"
	@$(BENCH)/bin/python -m pip install -qq --disable-pip-version-check --constraint requirements.lock hatchling editables
	@$(BENCH)/bin/python -m pip install -qq --disable-pip-version-check --constraint requirements.lock --no-build-isolation --editable '.[bench]'
	@touch $@

# Pin the whole closure anew, from a fresh environment. torch's CPU and CUDA wheels share one
# version here, so a local suffix such as +cpu is cut off, and so are hashes.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet hatchling editables '.[demo,test]'
	{ sed -n '/^#/p' requirements.lock; \
	  build/lock/bin/python -m pip freeze --all --exclude pip --exclude tooltune | sed 's/+[a-z0-9.]*$$//'; \
	} > build/requirements.lock
	mv build/requirements.lock requirements.lock && rm -rf build/lock

# Write docs/commands.md anew from --help.
docs: $(STAMP)
	python tests/cli/test_commands_page.py > docs/commands.md

clean:
	rm -rf $(VENV) $(BENCH) build dist
