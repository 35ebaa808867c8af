# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help setup demo test lint types floors unit agree editors docs golden bench fuzz clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(READY)  ## make .venv with meshc and its development tools

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("meshc needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@# Compiled here, whatever the environment says of bytecode: without it a short check takes three times as long.
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q cli lang compiler backends runtime
	@PYTHONDONTWRITEBYTECODE= $(BIN)/meshc check examples/shop > /dev/null
	@touch $@

demo: $(READY)  ## build a real example and run a mesh on this machine
	@$(BIN)/meshc demo

test: lint types floors unit  ## everything that must hold

lint: $(READY)  ## style of code and of examples
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/meshc fmt --check examples

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

floors: $(READY)  ## which wing may import which
	PYTHONPATH=cli:lang:compiler:backends:runtime $(BIN)/lint-imports

unit: $(READY)  ## the tests themselves
	$(BIN)/pytest --quiet --numprocesses 2 --dist loadfile

AGREE_SEEDS ?= 0-19
agree: $(READY)  ## ask tens of thousands of questions of all voices; AGREE_SEEDS=100-139 for other programs
	MESHC_AGREEMENT_SEEDS=$(AGREE_SEEDS) $(BIN)/pytest --quiet --numprocesses 2 --dist load tests/agreement/test_generated.py

editors: $(READY)  ## test the editors' files; the grammar by npm, where node is there
	$(BIN)/pytest --quiet tests/editors

docs: $(READY)  ## write docs/diagnostics/ and docs/reference.md anew from the code
	$(BIN)/python docs/write_diagnostics.py
	$(BIN)/python docs/write_reference.py

golden: $(READY)  ## write the expected results of tests anew; read the difference before you commit it
	$(BIN)/pytest --quiet --update-golden

bench: $(READY)  ## run every benchmark and print its figures
	$(BIN)/python -m benchmarks

FUZZ_SECONDS ?= 60
fuzz: $(READY)  ## a longer search for inputs that break a property; FUZZ_SECONDS=600 for longer
	HYPOTHESIS_PROFILE=long $(BIN)/pytest --quiet --numprocesses 2 tests/properties
	MESHC_FUZZ_EFFORT=20 $(BIN)/pytest --quiet --numprocesses 2 tests/fuzz tests/lang/test_any_text.py tests/lang/test_reader.py
	@$(BIN)/python -c 'import atheris' 2> /dev/null || $(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/fuzz.py $(FUZZ_SECONDS)

clean:  ## remove what the targets made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
