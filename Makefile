# Every target works on a fresh machine with Python 3.11 and make: no root, no keys.
PYTHON ?= python3.11
ifeq (, $(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif
VENV := .venv
UV := $(VENV)/bin/uv
STAMP := $(VENV)/.installed
# Each command here would otherwise compile a thousand modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test serve lint types test-slow test-matrix test-browser test-llm dojo bench lock check clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -x $(UV) || { $(PYTHON) -m venv $(VENV) && $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv; }
	$(UV) pip install --quiet --python $(VENV)/bin/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup
	$(VENV)/bin/handrail demo

test: setup
	$(VENV)/bin/python -m pytest -m "not browser and not llm and not matrix and not slow" --numprocesses 3 --dist loadfile

serve: setup
	$(VENV)/bin/handrail serve

lint: setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports

types: setup
	$(VENV)/bin/basedpyright

check: lint types test

# SHARE=6 runs every sixth of them, as .ci/run does; alone it runs all.
test-matrix: setup
	MATRIX_SHARE=$(or $(SHARE),1) $(VENV)/bin/python -m pytest -m matrix --numprocesses auto --maxprocesses 4 --dist worksteal

# Runs that are cut off and taken up again, and triage that is taught and promoted, from end to end.
test-slow: setup
	$(VENV)/bin/python -m pytest -m slow --numprocesses auto --maxprocesses 2 --dist loadfile

test-browser: setup
	npm ci --silent --prefix tests/browser
	$(VENV)/bin/python -m pytest -m browser tests/browser

test-llm: setup
	$(UV) pip install --quiet --python $(VENV)/bin/python --group llm
	$(VENV)/bin/python -m pytest -m llm

dojo: setup
	$(UV) venv --quiet --allow-existing --python $(VENV)/bin/python .venv-dojo
	$(UV) pip install --quiet --python .venv-dojo/bin/python -r pyproject.toml --group dev --group dojo
	$(UV) pip install --quiet --python .venv-dojo/bin/python --no-deps --no-build-isolation -e .
	.venv-dojo/bin/handrail eval agentdojo

bench: setup
	$(VENV)/bin/handrail bench

lock:
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .handrail
