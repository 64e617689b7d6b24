# Everything a developer runs. Needs python3 (3.11 or newer) with venv and pip, and make; nothing else.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# How long the demo stays up after its tour: 1 until Ctrl-C, 0 not at all.
STAY ?= 1
# A python to use instead of the newest of 3.13, 3.12, 3.11 that works, e.g. make demo PYTHON=/opt/python/bin/python3.
PYTHON ?=

VENV := .venv
BIN := $(VENV)/bin
# Programs are started hundreds of times in a run of the tests; none shall compile anew what the one before compiled.
unexport PYTHONDONTWRITEBYTECODE
# One more worker than cores, since many tests wait for somebody else. What takes long begins first (tests/conftest.py).
ALL_CORES = -n $$(($$($(BIN)/python -c "import os; print(os.cpu_count())") + 1)) --dist loadfile --no-loadscope-reorder

# The environment is stamped with what it was made from, so a warm start costs a file test.
stamp = $(VENV)/installed-$(1)-$(shell cat requirements/$(1).txt pyproject.toml proxy/_*.[ch] | cksum | tr ' ' '-')
DEMO_STAMP := $(call stamp,demo)
TEST_STAMP := $(call stamp,test)

.PHONY: help demo try test check lint peers fuzz-native bench bench-ssh bench-masking format lock clean venv-demo venv-test venv-bytecode

help: ## print this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: venv-demo ## install, play the tour with real clients, stay up (STAY=0: end after the tour)
	@$(BIN)/python -m app demo --stay=$(STAY)

try: venv-demo ## with the demo up in another terminal: a real psql as the sample developer
	@$(BIN)/python -m app try

test: venv-test ## lint, types, import direction and all tests
	@$(MAKE) --no-print-directory -j2 lint venv-bytecode
	$(BIN)/python -m pytest $(ALL_CORES)

lint: venv-test ## lint, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: venv-test ## the fast part of test: everything but real clients and browsers
	@$(MAKE) --no-print-directory -j2 lint venv-bytecode
	$(BIN)/python -m pytest -q $(ALL_CORES) -m "not wire and not browser"

peers: venv-test ## the long judges: clients' own test suites, big transfers, long fuzz (ARGS="-k asyncpg"); writes docs/peers/
	$(BIN)/python -m pytest -m peers -p no:randomly -W default tests $(ARGS)

fuzz-native: venv-test ## the compiled parts under AddressSanitizer and UBSan, compared with their twins (SEED=1 COUNT=300000; needs gcc)
	@$(BIN)/python -m tests.proxy.peers.sanitized $(or $(SEED),1) $(or $(COUNT),300000)

bench: venv-test ## what the gateway costs, as ratios to a direct connection in the same run
	@$(BIN)/python -m tests.bench

bench-ssh: venv-test ## SSH beside a direct connection and ssh -J; a whole run writes docs/ssh-performance.md (ARGS="bulk echo": parts)
	@$(BIN)/python -m tests.bench.ssh $(ARGS)

bench-masking: venv-test ## how well personal data is found (HOOP_BENCH_PRESIDIO=python with presidio-analyzer: next to it)
	@$(BIN)/python -m tests.bench.precision

format: venv-test ## sort imports, apply safe fixes, lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## pin the dependencies anew after a change in pyproject.toml (needs uv; UPGRADE=--upgrade takes newer versions)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	$(call compile,test,--extra test --extra demo --extra build $(UPGRADE))
	$(call compile,demo,--extra demo --extra build --constraint requirements/test.txt)
	$(call compile,runtime,--extra build --constraint requirements/test.txt)

clean: ## remove the environment, the demo's data and all caches
	rm -rf $(VENV) .hoop build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis artefacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The test set contains the demo set.
venv-demo:
	@test -e $(TEST_STAMP) || test -e $(DEMO_STAMP) || { $(call install,demo,$(DEMO_STAMP)); }

venv-test:
	@test -e $(TEST_STAMP) || { $(call install,test,$(TEST_STAMP)); }

# On a clean checkout every worker of the tests would compile all of them; one does, while mypy has the other core.
venv-bytecode: venv-test
	@test -e tests/__pycache__ || $(BIN)/python -m pytest --collect-only -qq >/dev/null || true

# Wheels only, every file checked against its hash; the checkout itself is installed without looking at any index. The
# compiled parts are removed first: what runs has them mapped, so they must not be written over, and what does not compile
# any more must not go on as it was. What is missing afterwards is said.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps
define install
	set -e; \
	test -x $(BIN)/python || { \
		python=$$(sh tools/find-python $(PYTHON)); \
		echo "Creating $(VENV) with $$python …"; "$$python" -m venv $(VENV); \
	}; \
	echo "Installing requirements/$(1).txt (once; a minute on a fast line) …"; \
	$(PIP) --require-hashes --only-binary :all: -r requirements/$(1).txt; \
	rm -f proxy/_*.so; \
	$(PIP) --no-build-isolation --no-index --editable .; \
	$(BIN)/python tools/compiled.py; \
	rm -f $(VENV)/installed-*; touch $(2)
endef

# One lock for every supported Python and platform. No download addresses: the machine's own pip settings decide those.
define compile
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links $(2) pyproject.toml --output-file requirements/$(1).txt
endef
