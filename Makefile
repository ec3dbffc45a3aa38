# Two commands do everything on a fresh machine with Python >= 3.11, pip and make:
#   make demo    build the curl service ahead of time, run it on every engine, compare their speed
#   make test    run the test suite
# Both make their own .venv; nothing else is needed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
GUESTS := $(VENV)/.guests
FUZZ   := $(VENV)/.fuzz

PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test lint types format docs wheel guests guests-check toolchain bless bench fuzz mutants clean

demo: $(STAMP)
	$(BIN)/python examples/curl_service/demo.py $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Rewrites the parts of the documentation that come from tables in the code.
docs: $(STAMP)
	$(BIN)/python docs/reference.py

# Rewrites the expectations of the golden tests; read the diff before you commit it.
bless: $(STAMP)
	MARINE_GEN_BLESS=1 $(BIN)/python -m pytest tests $(ARGS)

# Calls one function on every engine, side by side. See `marine-gen bench --help` for more.
bench: $(STAMP)
	$(BIN)/marine-gen bench tests/guests/greeting.wasm greeting.greeting '["John"]' $(ARGS)

# Removes each check that keeps guests in their place, one at a time; some test has to fail. `ARGS="--every 4"` is quicker.
mutants: $(STAMP)
	$(BIN)/python -m tests.security.mutants $(ARGS)

# Random input for everything that reads, and random services on every engine; the report is build/fuzz/report.json.
# ARGS="--runs 100000 --cases 50000" for longer, ARGS="--seconds 60" for at most a minute each; `--help` has the rest.
fuzz: $(FUZZ)
	$(BIN)/python -m tests.fuzz.bench $(ARGS)

# Source distribution and wheel, into dist/.
wheel: $(STAMP)
	$(BIN)/python -m build --no-isolation --outdir dist

# Rebuilds every guest module from its source with the C compiler of the `guests` extra.
guests: $(GUESTS)
	$(BIN)/python tests/guests/rebuild.py

# The same without writing: fails when a committed module is not what its source gives.
guests-check: $(GUESTS)
	$(BIN)/python tests/guests/rebuild.py --check

# Installs that C compiler.
toolchain: $(GUESTS)

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/.cache
	rm -rf examples/*/sites
	find build -mindepth 1 ! -name README.md -delete

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -e '.[dev]'
	touch $@

$(GUESTS): $(STAMP)
	$(PIP) install --quiet -e '.[guests]'
	touch $@

$(FUZZ): $(STAMP)
	$(PIP) install --quiet -e '.[fuzz]'
	touch $@
