# Two commands do everything on a fresh machine with Python >= 3.11, pip and make:
#   make demo    build the curl service ahead of time, run it on every engine, compare their speed
#   make test    run the test suite
# Both make their own .venv; nothing else is needed.

PYTHON ?= python3
JOBS   ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
GUESTS := $(VENV)/.guests
FUZZ   := $(VENV)/.fuzz
HOSTS  := $(VENV)/.component-hosts
SPEED  := $(VENV)/.speedups
DEMO   := $(VENV)/.demo
LOWEST := .venv-lowest
BENCH  := .venv-bench
RAY    := .venv-ray
BENCHED := $(BENCH)/.installed
RAYED  := $(RAY)/.installed
NPM    := $(BENCH)/npm/.installed

# What is installed or built here depends on a version of the runtime, not on the folder in this clone.
export MARINE_GEN_PUBLISHED := 1

# Hundreds of processes are started by the tests; without their bytecode each would compile all sources again.
unexport PYTHONDONTWRITEBYTECODE

PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test test-all test-aarch64 test-lowest soak ci-long lint types format docs wheel guests guests-check toolchain bless bench bench-gate bench-report fuzz
.PHONY: bench-native native-check docs-check cluster component-hosts ray ray-bench mutants rust-toolchain speedups test-speedups check-speedups clean

demo: $(or $(wildcard $(STAMP)),$(DEMO))
	$(BIN)/python examples/curl_service/demo.py $(ARGS)

# One process more than processors, as some tests wait; `JOBS=0` runs everything in one.
test: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

# The same with the lowest versions of all dependencies that pyproject.toml allows, in an environment of its own.
test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

# The suite on every Python from 3.11 to 3.14 that is found on the path, by pyenv or by uv, each in an environment of its
# own; missing ones are named. ARGS="--quick" takes a part of the suite, on the oldest and the newest.
test-all: $(STAMP)
	$(BIN)/python -m tests.platforms.pythons $(ARGS)

# A part of the suite on Linux aarch64, by QEMU and Debian's Python, where the machine has Debian's packages.
test-aarch64: $(STAMP)
	$(BIN)/python -m tests.platforms.aarch64 $(ARGS)

# A million calls with faults on one service and on pools of each kind; MARINE_GEN_SOAK_CALLS bounds it.
soak: $(STAMP)
	$(BIN)/python -m tests.platforms.soak $(ARGS)

# What takes hours: everything that `.ci/run` bounds, or leaves out.
ci-long:
	$(MAKE) test-all
	$(MAKE) test-aarch64
	$(MAKE) soak
	$(MAKE) check-speedups
	$(MAKE) test ARGS="-m slow --durations=20"
	MARINE_GEN_FAULTS=100000 $(MAKE) test ARGS="tests/serve/test_faults.py"
	MARINE_GEN_RAY_CALLS=100000 $(MAKE) ray
	$(MAKE) mutants

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
	$(BIN)/python docs/layers.py
	$(BIN)/python -m tests.wrong_values.page
	$(BIN)/python -m tests.bench.measured

# Rewrites the expectations of the golden tests; read the diff before you commit it.
bless: $(STAMP)
	MARINE_GEN_BLESS=1 $(BIN)/python -m pytest tests $(ARGS)

# Measures everything against everyone, in less than ten minutes: all samples and plots go to .venv-bench/report, the
# summary to docs/benchmarks.*, which `ARGS=--quick` leaves as they are. Has its own environment; what can't be installed is missing in the report, with its reason.
# Only the peer `fused, accelerator`, in a process of its own, uses the extension.
bench: $(BENCHED) $(NPM)
	MARINE_SPEEDUPS=0 $(BENCH)/bin/python -m tests.bench.run $(ARGS)

# Builds Marine's own runtime with cargo, in four minutes or more, and measures it beside `fused`; from then on `make bench`
# measures it too.
bench-native: $(BENCHED)
	cd tests/bench/native && RUSTC_WRAPPER="$$PWD/rustc-wrap.sh" CARGO_TARGET_DIR="$(CURDIR)/$(BENCH)/native" cargo build --release --locked
	$(BENCH)/bin/python -m tests.bench.run --peer fused --peer "native Marine" --peer "native Marine pooling" $(ARGS)

# Compares results with Marine's own runtime, once `make bench-native` has built it.
native-check: $(STAMP)
	@test -x $(BENCH)/native/release/native-marine || { echo "\`make bench-native\` builds Marine first"; exit 1; }
	$(BIN)/python -m pytest tests/native -m "" $(ARGS)

# Runs every command and snippet of the documentation, and follows every link and reference.
docs-check: $(STAMP)
	$(BIN)/python -m pytest tests/docs tests/bench/test_report.py -n $(JOBS) --dist loadfile $(ARGS)

# Makes the pages and pictures from docs/benchmarks.json, without measuring; with ARGS=FILE from samples.
bench-report: $(STAMP)
	$(BIN)/python -m tests.bench.report $(ARGS)

# Measures the ratios that must hold, and fails when one does not; less than a minute.
bench-gate: $(STAMP) $(NPM)
	MARINE_SPEEDUPS=0 $(BIN)/python -m tests.bench.gate $(ARGS)

# Removes each check that keeps guests in their place, one at a time; some test has to fail. `ARGS="--every 4"` is quicker.
mutants: $(STAMP)
	$(BIN)/python -m tests.security.mutants $(ARGS)

# Random input for everything that reads, and random services on every engine; the report is build/fuzz/report.json.
# ARGS="--runs 100000 --cases 50000" for longer, ARGS="--seconds 60" for at most a minute each; `--help` has the rest.
fuzz: $(FUZZ)
	$(BIN)/python -m tests.fuzz.bench $(ARGS)

# The example of docs/cluster.md: a pool on a Ray cluster of this machine.
cluster: $(RAYED)
	$(RAY)/bin/python examples/cluster/demo.py $(ARGS)

# The tests of pools on Ray, on clusters of this machine; MARINE_GEN_RAY_CALLS says how many calls meet faults. Has its
# own environment, as Ray has 260 MB.
ray: $(RAYED)
	MARINE_GEN_RAY=1 $(RAY)/bin/python -m pytest tests/ray tests/docs/test_figures.py -m "" $(ARGS)

# Measures pools on Ray: calls, scaling, start and memory of workers.
ray-bench: $(RAYED)
	$(RAY)/bin/python -m tests.ray.bench $(ARGS)

# Builds the optional extension with the C compiler of this machine, or else with ziglang, and installs it. From then on
# the tests run with it; `MARINE_SPEEDUPS=0 make test` runs them without.
speedups: $(SPEED)

# The tests of the extension, and with it those of calls, values and security; ARGS="tests/engines" runs others.
test-speedups: $(SPEED)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(or $(ARGS),tests/speedups tests/runtime/calls tests/runtime/values tests/runtime/wasm tests/security)

# Looks for references and memory that the extension loses, and for memory that it may not touch: with a debug build of
# Python, the sanitizers of GCC, and valgrind, each where it is there. ARGS="references --calls 20000" does a part.
check-speedups: $(STAMP)
	$(BIN)/python -m tests.speedups.checks $(ARGS)

# Source distributions and wheels of the runtime and the compiler, into dist/, checked as an index would; with ziglang (`make
# toolchain`) those of the extension for manylinux and musllinux, x86-64 and aarch64.
wheel: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist runtime
	$(BIN)/python -m build --no-isolation --outdir dist
	if $(BIN)/python -c "import ziglang" 2>/dev/null; then $(BIN)/python runtime/speedups/wheels.py --all dist; \
	else echo "marine-speedups: no wheels without ziglang"; fi
	$(BIN)/python -m twine check --strict dist/*

# Rebuilds every guest module from its source with the C compiler of the `guests` extra.
guests: $(GUESTS)
	$(BIN)/python tests/guests/rebuild.py

# The same without writing: fails when a committed module is not what its source gives.
guests-check: $(GUESTS)
	$(BIN)/python tests/guests/rebuild.py --check

# Installs that C compiler.
toolchain: $(GUESTS)

# Installs the Wasmtime command line, for the long tests of components.
component-hosts: $(HOSTS)

# Where cargo has no target for modules: unpacks cargo, rustc and the target from Debian's packages into .venv-rust, for
# the tests of `guest build-rust`. Installs nothing; takes half a minute and half a gigabyte.
rust-toolchain: $(STAMP)
	$(BIN)/python -m tests.rust.toolchain

clean:
	rm -rf $(VENV) $(BENCH) $(LOWEST) $(RAY) .venv-all .venv-aarch64 .venv-rust dist .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/.cache
	rm -rf examples/*/sites
	find build -mindepth 1 ! -name README.md -delete

$(STAMP): pyproject.toml runtime/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -e ./runtime -e '.[dev]'
	touch $@

# What the example needs, where nothing is installed yet: much less than development does.
$(DEMO): pyproject.toml runtime/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -e ./runtime -e .
	touch $@

$(LOWEST)/.installed: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python tests/support/lowest.py > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip --disable-pip-version-check install --quiet -e ./runtime -e '.[dev]' -c $(LOWEST)/constraints.txt
	touch $@

$(GUESTS): $(STAMP)
	$(PIP) install --quiet -e ./runtime -e '.[guests]'
	touch $@

$(HOSTS): $(STAMP)
	$(PIP) install --quiet -e ./runtime -e '.[components]'
	touch $@

$(SPEED): $(STAMP) $(wildcard runtime/speedups/src/* runtime/speedups/*.toml runtime/speedups/*.py runtime/speedups/*/*.py*)
	rm -rf $(SPEED).wheel
	$(BIN)/python runtime/speedups/wheels.py $(SPEED).wheel
	$(PIP) install --quiet --force-reinstall --no-deps $(SPEED).wheel/*.whl
	touch $@

$(FUZZ): $(STAMP)
	$(PIP) install --quiet -e ./runtime -e '.[fuzz]'
	touch $@

$(BENCHED): pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet -e ./runtime -e '.[bench]'
	-$(BENCH)/bin/python runtime/speedups/wheels.py $(BENCH)/wheel && $(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet --force-reinstall --no-deps $(BENCH)/wheel/*.whl
	touch $@

$(RAYED): pyproject.toml
	$(PYTHON) -m venv $(RAY)
	$(RAY)/bin/python -m pip --disable-pip-version-check install --quiet -e './runtime[ray]' -e '.[serve,client]' pytest hypothesis
	touch $@

# Without npm there is no such file, and the peers from there are missing.
$(NPM): tests/bench/peers/js/package-lock.json
	mkdir -p $(@D)
	cp tests/bench/peers/js/package.json tests/bench/peers/js/package-lock.json $(@D)
	cd $(@D) && npm ci --no-audit --no-fund --ignore-scripts && touch .installed || echo "npm can't install marine-js"
