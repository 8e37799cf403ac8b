# peerwatt: `make study` runs the market, `make test` checks everything. `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
STUDY_VENV := .venv-study
TOOLS := .tools
BIN := $(VENV)/bin
JOBS ?= 2
SIZE ?= 20000
KILLS ?= 1000
SEED ?= 1
# What the study's command line gets, e.g. make study ARGS="--seed 7 --windows 4"
ARGS ?=

# ape's pytest plugin starts a chain of its own for each run; these tests bring their own chains.
PYTEST := $(BIN)/pytest -p no:ape_test
# ape-vyper looks for the compiler on PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# On small machines the threads of numerical libraries cost more than they give.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Makes the environment $1 with a Python 3.11 to 3.13 that runs and can make one (a pyenv shim may exist and fail).
# 3.11 and 3.12 come first: eth-ape cannot be installed on 3.13. Debian and Ubuntu ship venv apart; root may fetch it.
define MAKE_VENV
set -euo pipefail
supported() { "$$1" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $$2))" 2>/dev/null; }
complete() { "$$1" -c "import venv, ensurepip" 2>/dev/null; }
pick() {
    local p
    for p in python3 python3.12 python3.11; do supported $$p 12 && complete $$p && { echo $$p; return; }; done
    for p in python3 python3.13; do supported $$p 13 && complete $$p && { echo $$p; return; }; done
    return 0
}
install() { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$@" >/dev/null; }
python=$$(pick)
if [ -z "$$python" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "no Python 3.11 to 3.13 with venv found: installing it with apt-get" >&2
    install python3 python3-venv || true
    for version in 3.12 3.11 3.13; do
        python=$$(pick)
        [ -n "$$python" ] || install python$$version python$$version-venv || true
    done
    python=$$(pick)
fi
if [ -z "$$python" ]; then
    echo "peerwatt needs Python 3.11, 3.12 or 3.13 with venv; on Debian and Ubuntu: apt-get install python3 python3-venv" >&2
    exit 1
fi
if ! { supported "$$1/bin/python" 13 && "$$1/bin/python" -c "import pip" 2>/dev/null; }; then
    rm -rf "$$1"
    "$$python" -m venv "$$1"
fi
endef
export MAKE_VENV

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

# The study runs from a plain install, as a home would have it: no compiler, no development tools.
$(STUDY_VENV)/.installed: pyproject.toml constraints.txt $(shell find client -type f -not -name '*.pyc' 2>/dev/null)
	@bash -c "$$MAKE_VENV" make-venv $(STUDY_VENV)
	@echo "installing peerwatt into $(STUDY_VENV)"
	@$(STUDY_VENV)/bin/python -m pip install --quiet . -c constraints.txt
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt
	@bash -c "$$MAKE_VENV" make-venv $(VENV)
	@echo "installing peerwatt and its development tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --editable '.[dev]' -c constraints.txt
	@touch $@

.PHONY: study
study: $(STUDY_VENV)/.installed  ## run the paper's community on an embedded chain; options: ARGS="--seed 7"
	@$(STUDY_VENV)/bin/peerwatt study $(ARGS)

.PHONY: try
try: $(STUDY_VENV)/.installed  ## a local chain with a market and neighbours, and a shell to make a first trade in
	@$(STUDY_VENV)/bin/peerwatt try

.PHONY: up
up: setup  ## a chain, a market, a bridge and homes that trade through it, in the background
	@$(BIN)/peerwatt-bridge up $(ARGS)

.PHONY: down
down: setup  ## stop what `make up` started
	@$(BIN)/peerwatt-bridge down

.PHONY: setup
setup: $(VENV)/.installed  ## make the development environment

# anvil, cast and viem: the programs with which the tests use a node as others do. Debian and Ubuntu have Node.js.
define INSTALL_TOOLS
set -euo pipefail
if ! command -v npm >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "no Node.js found: installing it with apt-get" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null || true
fi
if ! command -v npm >/dev/null; then
    echo "Node.js and npm are missing; without them the tests that use anvil, cast or viem are skipped." >&2
    echo "On Debian and Ubuntu: apt-get install nodejs npm" >&2
    exit 0
fi
mkdir -p "$$1"
cp tests/e2e/package.json "$$1/"
echo "installing anvil, cast and viem into $$1" >&2
npm install --prefix "$$1" --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
touch "$$1/.installed"
endef
export INSTALL_TOOLS

$(TOOLS)/.installed: tests/e2e/package.json
	@bash -c "$$INSTALL_TOOLS" install-tools $(TOOLS)

.PHONY: tools
tools: $(TOOLS)/.installed  ## anvil, cast and viem for the tests, from npm

.PHONY: lint
lint: setup  ## ruff, mypy --strict, shipped artifacts against the sources
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python scripts/build_artifacts.py --check

.PHONY: test
test: lint tools  ## lint and all tests
	$(PYTEST) -n $(JOBS) --dist worksteal

.PHONY: fuzz
fuzz: setup  ## long campaigns of the property tests: SIZE=1000000 calls, in JOBS processes
	PEERWATT_FUZZ=$(SIZE) PEERWATT_JOBS=$(JOBS) $(PYTEST) -m fuzz -s

.PHONY: chaos
chaos: setup tools  ## kill a bridge KILLS=1000 times between accept, sign, send and confirm: nothing lost, nothing doubled
	$(BIN)/python tests/api/chaos.py --kills $(KILLS) --seed $(SEED)

.PHONY: gas
gas: setup  ## gas against its budgets
	$(PYTEST) -m gas -s

.PHONY: bench
bench: $(STUDY_VENV)/.installed setup tools  ## time and gas of the study, as JSON; what an audit costs; how fast a bridge is, and recovers
	@$(STUDY_VENV)/bin/peerwatt study --json --out out/bench $(ARGS)
	@$(BIN)/python scripts/bench_audit.py
	@$(BIN)/python scripts/bench_bridge.py
	@$(BIN)/python scripts/bench_recovery.py

.PHONY: coverage
coverage: setup  ## branch coverage of contracts and reference model, 95 % at least
	PYTHONPATH=tests $(PYTEST) -n $(JOBS) -p contracts.helpers_coverage -m "not gas" \
		tests/contracts tests/parity tests/stateful tests/client/test_reference*.py --ignore=tests/stateful/test_campaign.py \
		--cov --cov-branch --cov-report=term-missing --cov-report=html:out/coverage/html

.PHONY: build
build: setup  ## compile contracts/ into the artifacts that are shipped
	$(BIN)/python scripts/build_artifacts.py

.PHONY: clean
clean:  ## remove everything that make made, environments included
	rm -rf $(VENV) $(STUDY_VENV) $(TOOLS) out build dist .build .hypothesis .mypy_cache .pytest_cache .ruff_cache htmlcov .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
