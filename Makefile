# The habits of this project. Every target works on a fresh clone: it makes .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

# Worker threads that spin only briefly while they wait: see tunesmith/threads.py.
export OMP_WAIT_POLICY ?= PASSIVE
export GOMP_SPINCOUNT ?= 3000

.PHONY: install demo serve test test-all soak check bench docs clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(INSTALLED)

demo: install  ## the main job on examples/support-desk: a tuned model and its report
	@$(BIN)/tunesmith run examples/support-desk; code=$$?; test $$code -eq 0 -o $$code -eq 3

serve: install  ## the demo's model over HTTP, as OpenAI's servers answer
	$(BIN)/tunesmith serve examples/support-desk

test: install  ## the tests, under 12 minutes on two cores
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m 'not slow and not soak'

test-all: install  ## every test but the soak, the slow ones too
	$(BIN)/python -m pytest -q -m 'not soak'

soak: install  ## hundreds of kills of trainings and servers, ten minutes of overload, damage to every region of a checkpoint
	$(BIN)/python -m pytest -q -m soak -rP

check: install  ## linting, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install  ## side by side with peers; each prints a ratio or a figure
	$(BIN)/python -m benchmarks

docs: install  ## write the generated pages of docs/
	$(BIN)/tunesmith docs --out docs

clean:  ## throw away what was built here; examples' results stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
