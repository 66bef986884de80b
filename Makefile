# Every target sets up what it needs. Only Python 3.11 or newer, make and git are expected.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
PLUGINS := $(wildcard plugins/segserver-*)

.PHONY: run test chaos soak lint fix protos bench bench-search docs clean venv lock

## Start the server with a sample population, evaluate some customers, print the answers, go on serving (ONCE=1: stop then).
run: $(STAMP)
	$(BIN)/segserver demo $(if $(ONCE),--once)

## Every test: unit, property, differential, conformance, real server over real gRPC, documentation.
test: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

## Kill a loaded server 200 times and single workers 20 times, and look for what was acknowledged; then feed mutated
## bytes to what reads rules and the log, and messages to every method. A few minutes.
chaos: $(STAMP)
	$(BIN)/python scripts/chaos.py --kills 200 --worker-kills 20 $(ARGS)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[fuzz]"
	$(BIN)/python scripts/fuzz.py rules --runs 100000
	$(BIN)/python scripts/fuzz.py audit --runs 1000000
	SEGSERVER_FUZZ_EXAMPLES=300 $(BIN)/python -m pytest tests/rpc/test_fuzz.py

## Ten minutes of everything at once; the server's memory must stay as it is.
soak: $(STAMP)
	$(BIN)/python scripts/soak.py --seconds 600 $(ARGS)

## Style, types, import contracts, protos, stale generated files.
lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=$$(echo $(PLUGINS) | tr ' ' ':') $(BIN)/mypy segserver $(dir $(wildcard plugins/*/segserver_*/__init__.py))
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python scripts/generate.py --check

## Repair what can be repaired by machine.
fix: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## Generate Python from protos/.
protos: $(STAMP)
	$(BIN)/python scripts/generate.py

## Speeds as ratios beside their yardsticks, as a table and as JSON.
bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python -m bench $(ARGS)

## Search in an audit log of ten million entries; needs 15 GB for some minutes.
bench-search: $(STAMP)
	SEGSERVER_BENCH_ENTRIES=10000000 $(BIN)/python -m bench audit_search $(ARGS)

## Run the sessions of the documentation, and write what they print and what the code says.
docs: $(STAMP)
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/sessions.py

## Write the pinned versions anew from pyproject.toml and the plugins.
lock: $(STAMP)
	$(BIN)/python -m pip install --quiet uv
	printf -- '-e %s\n' ".[dev,bench,fuzz,otel]" $(addprefix ./,$(PLUGINS)) | $(BIN)/uv pip compile - --quiet --universal --upgrade \
		--python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		$(foreach name,segserver $(notdir $(PLUGINS)),--no-emit-package $(name)) --output-file constraints.txt

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml)
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "segserver needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]" \
		$(foreach plugin,$(PLUGINS),--editable $(plugin))
	touch $@

clean:
	rm -rf $(VENV) .data .mypy_cache .ruff_cache .pytest_cache .hypothesis build
