# The commands of a person and of CI. `make` lists them.
#
# Everything that a target needs from Debian it installs itself (tests/vm/install); what
# needs root (namespaces, apt) asks sudo for it unless root runs make.

NET ?= b
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 600
FLOOD_SECONDS ?= 60
CASES ?= 20000

HOST = $(shell rustc -vV | sed -n 's/^host: //p')
TARGET := $(or $(CARGO_TARGET_DIR),target)
LAB := $(TARGET)/debug/lab
ROOT := $(if $(filter-out 0,$(shell id -u)),sudo -E env "PATH=$$PATH",)

# Errors of the tests are words for a person; a trace of the test harness adds none.
export RUST_LIB_BACKTRACE = 0
# Most tests wait for daemons and timers more than they compute.
export RUST_TEST_THREADS ?= 6
# Properties are tried on the same random cases each time, so that the same commit gets the same
# answer twice; `make search` tries others.
export PROPTEST_RNG_SEED ?= 1
# A snapshot that differs fails; `cargo insta review` or INSTA_UPDATE=always settles it.
export INSTA_UPDATE ?= no

.DEFAULT_GOAL := help
.PHONY: help build lab lab-down test search test-loss check fuzz matrix reference soak flood million bench deb image static

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

build: ## Build starlingd, bgpctl and the lab (debug; cargo build --release for a node)
	@$(ROOT) tests/vm/install build
	cargo build --workspace

lab: build ## Show a network at work: NET=a|b|c|d|t|v (b), KEEP=1 leaves it up
	@$(ROOT) tests/vm/install lab
	@$(ROOT) $(LAB) up --net $(NET) $(if $(filter-out 0,$(KEEP)),--keep)

lab-down: ## Remove the network that KEEP=1 left
	@$(ROOT) $(LAB) down

# No `build` before it: that would build some crates a second time, with other features.
test: ## Run every test: unit, property, simulation, namespaces, the lab's networks
	@$(ROOT) tests/vm/install build
	@$(ROOT) tests/vm/install lab
	cargo test --workspace --no-run
	@$(ROOT) $(LAB) matrix forget
	$(ROOT) cargo test --workspace
	@$(ROOT) $(LAB) matrix check
	$(ROOT) $(LAB) check --all

search: ## Try every property on CASES (20000) random cases that no run has tried before
	@$(ROOT) tests/vm/install build
	env -u PROPTEST_RNG_SEED PROPTEST_CASES=$(CASES) cargo test --workspace --lib

matrix: build ## Write bgp/README.md's matrix of features and peers anew, from the tests that prove it
	@$(ROOT) tests/vm/install lab
	@$(ROOT) $(LAB) matrix forget
	$(ROOT) env UPDATE_MATRIX=1 cargo test --test interop --test netns
	@$(ROOT) $(LAB) matrix prune

reference: ## Write config/REFERENCE.md, config/schema.json and src/api/openapi.json anew, from the code
	@$(ROOT) tests/vm/install build
	UPDATE_REFERENCE=1 cargo test --workspace --lib --test config -- reference openapi

test-loss: build ## Count the packets lost while things happen, beside BIRD; JSON=1, UPDATE_LOSS=1 for the pages
	@$(ROOT) tests/vm/install lab
	@$(ROOT) cargo test --quiet --test loss -- $(if $(filter-out 0,$(JSON)),--json)

soak: build ## Change everything for SOAK_SECONDS (600) beside five speakers; no session may be lost
	@$(ROOT) tests/vm/install lab
	$(ROOT) env SOAK_SECONDS=$(SOAK_SECONDS) cargo test --test interop soak

flood: ## Strangers at port 179 for FLOOD_SECONDS (60), 10,000 a second and more; the mesh must not notice
	@$(ROOT) tests/vm/install build
	@$(ROOT) tests/vm/install lab
	$(ROOT) env FLOOD_SECONDS=$(FLOOD_SECONDS) cargo test --release --test netns strangers -- --nocapture

bench: ## Measure beside BIRD, FRR, OpenBGPD, GoBGP; into README (REPS=3: 40 minutes; GROWTH=1)
	@$(ROOT) tests/vm/install lab
	@$(ROOT) tests/vm/install bench
	cargo build --release
	cd tests/bench && cargo build --release
	results=$$($(ROOT) tests/bench/all.sh) && tests/bench/table.py "$$results" --write

check: ## Formatting and lints, warnings denied
	@$(ROOT) tests/vm/install build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

fuzz: ## Fuzz every decoder, FUZZ_SECONDS (60) each
	@$(ROOT) tests/vm/install fuzz
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	SECONDS_EACH=$(FUZZ_SECONDS) tests/fuzz/run

deb: ## Make the Debian package, in target/debian
	@$(ROOT) tests/vm/install build
	cargo build --release --bins --example pages
	dist/deb $(TARGET)/release $(TARGET)/debian

# Debian's C library for this too: one that is told how to keep its heap, and to give memory back.
static: ## Build programs that need no library of the host, in target/HOST/release
	@$(ROOT) tests/vm/install build
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --bins --target $(HOST)
	ldd $(TARGET)/$(HOST)/release/starlingd | grep 'statically linked'
	$(TARGET)/$(HOST)/release/starlingd --version

image: ## Make the container's image, an OCI archive, in target/image
	@$(ROOT) tests/vm/install build
	@$(ROOT) tests/vm/install image
	cargo build --release --bins
	dist/image $(TARGET)/release $(TARGET)/image

million: ## A million routes into the kernel and out again: time and memory, as root
	cargo run --release -q -p starling-fib --example million
