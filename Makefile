# Every target makes its own virtual environment when there is none: `make demo` on a bare clone works.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-slow lint clean

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	# Compiled after the installation, on all cores: pip compiles one file after the other.
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	touch $@

demo: $(INSTALLED)  ## Tune six families on a table, and forecasters on a series; print both leaderboards.
	$(BIN)/tuning run examples/abalone.yaml --name demo-$$(date +%Y%m%d-%H%M%S)
	$(BIN)/tuning run examples/retail.yaml --name demo-retail-$$(date +%Y%m%d-%H%M%S)

lint: $(INSTALLED)  ## Style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check models tuning tests benchmarks
	$(BIN)/mypy

test: lint  ## Lint, types, and every test that does not take minutes.
	$(BIN)/pytest

test-slow: $(INSTALLED)  ## Whole studies on several nodes and workers, and through many faults.
	$(BIN)/pytest -m slow

clean:  ## Remove the environment and what tools left; studies stay.
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
