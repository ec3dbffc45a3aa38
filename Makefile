# Two commands do everything on a fresh machine with Python >= 3.11, pip and make:
#   make demo    build the curl service ahead of time, run it on every engine, compare their speed
#   make test    run the test suite
# Both make their own .venv; nothing else is needed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test lint types guests guests-check bless bench fuzz clean

demo: $(STAMP)
	$(BIN)/python examples/curl_service/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# Rewrites the expectations of the golden tests; read the diff before you commit it.
bless: $(STAMP)
	MARINE_GEN_BLESS=1 $(BIN)/python -m pytest tests $(ARGS)

# Rebuilds every guest module from its source with the C compiler of the `guests` extra.
guests: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[guests]'
	$(BIN)/python tests/guests/rebuild.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find build -mindepth 1 ! -name README.md -delete

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@
