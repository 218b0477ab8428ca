# What can be done here. Both `make run` and `make test` work in a fresh clone that has a Rust toolchain,
# Node (20.19 or later), Python (3.11 or later) and apt.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.PHONY: help run web binaries prepare test test-tools test-web test-rust test-fuzz test-e2e test-chaos test-conformance lint bench fuzz soak conformance coverage docs clean

# Arguments for the program that the target runs: make run ARGS="--listen 127.0.0.1:9000"
ARGS =
SECONDS = 60
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR

# The pages of both apps, and the packages that they are made of: one build for all.
APP := web/apps/demo/dist/index.html
CLIENT := web/packages/client/dist/index.js
APP_SOURCES := $(shell find web/apps web/packages web/build -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/tests/*' 2>/dev/null)
CLIENT_SOURCES := $(shell find web/packages/client/src -type f 2>/dev/null)
NODE_MODULES := web/node_modules/.package-lock.json
# One set of features for all that CI builds, so that each crate is built once.
ALL := --workspace --all-features
BINARIES := $(CARGO_TARGET_DIR)/debug
CONFORMANCE := ANTIPHON_BIN=$(BINARIES)/antiphon ECHO_CLIENT_BIN=$(BINARIES)/examples/echo_client \
	ECHO_SERVER_BIN=$(BINARIES)/examples/echo_server

help:
	@echo 'make run           build everything and serve the demo on http://127.0.0.1:8000'
	@echo 'make test          run every test, in the browser too; installs what it needs'
	@echo 'make lint          formatting, lints, documentation, rules of the house'
	@echo 'make bench         compare with other servers (30 minutes; ARGS=--quick for 3)'
	@echo 'make fuzz          fuzz each target for SECONDS=60'
	@echo 'make soak          the properties a hundred times as long, then each fuzz target for an hour'
	@echo 'make conformance   Autobahn, the matrix, the peers and the proxies in full (25 minutes)'
	@echo 'make coverage      line coverage of the engine'
	@echo 'make docs          the book and the documentation of the crates'
	@echo 'make clean         remove what was built'

# The development profile, which the tests build as well: from nothing either profile takes about a minute on two
# cores, and it is optimised enough that the demo answers at once. For figures: make bench.
run: web
	cargo run --package antiphon -- serve $(ARGS)

web: $(APP)

$(APP): $(APP_SOURCES) $(NODE_MODULES)
	cd web && npm run build
	@touch $@

$(CLIENT): $(CLIENT_SOURCES) $(NODE_MODULES)
	cd web && npm run build --workspace @antiphon/client
	@touch $@

$(NODE_MODULES): web/package-lock.json web/package.json $(wildcard web/*/*/package.json)
	@command -v npm >/dev/null || { echo 'The pages are built with Node 20.19 or later, and there is no npm here. Without it: cargo run -p antiphon -- serve, then open /plain.html' >&2; exit 1; }
	cd web && npm ci --no-progress
	@touch $@

# With `make -k test` the rest goes on after a failure.
test: prepare test-tools test-web test-rust test-fuzz test-e2e test-chaos test-conformance

prepare:
	@.ci/prepare >/dev/null

test-tools:
	cd bench && python3 -m unittest discover -s harness -t .
	cd .ci && python3 -m unittest discover -s tests -t tests

test-web: $(NODE_MODULES)
	cd web && npm run check
	cd web && timeout 300 npm test
	cd web && npm run --silent size

# The apps are embedded in the binary, so they are built first.
test-rust: web
	if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --cargo-quiet $(ALL) --status-level fail && cargo test --quiet $(ALL) --doc; \
	else \
		timeout 1200 cargo test --quiet $(ALL) --no-fail-fast; \
	fi

# The seeds of the fuzz targets, and what they once found. In a folder of its own, since it is a workspace of its own.
test-fuzz:
	CARGO_TARGET_DIR=fuzz/target timeout 300 cargo test --quiet --manifest-path fuzz/Cargo.toml

test-e2e: binaries
	CHROMIUM=$$(.ci/prepare) && export CHROMIUM && cd web && ANTIPHON_BIN=$(BINARIES)/antiphon timeout 900 npm run e2e

# Clients whose transports are killed and changed all the time lose nothing, and repeat nothing. CHAOS makes it longer.
CHAOS = --clients 5 --seconds 8 --every 500
test-chaos: binaries $(CLIENT)
	CHROMIUM=$$(.ci/prepare) && export CHROMIUM && cd web/packages/client && \
		ANTIPHON_BIN=$(BINARIES)/antiphon timeout 600 npm run --silent chaos -- --in both $(CHAOS)

# The suites' own lines are moved in, so that the last one alone is the sum.
test-conformance: binaries $(CLIENT)
	CHROMIUM=$$(.ci/prepare) && export CHROMIUM $(CONFORMANCE) && timeout 1200 conformance/run.sh quick | sed -u '$$!s/^/    /'

binaries: web
	cargo build --quiet $(ALL) --bins --examples

lint: $(NODE_MODULES)
	.ci/format
	cargo clippy --quiet $(ALL) --all-targets -- -D warnings
	CARGO_TARGET_DIR=fuzz/target cargo clippy --quiet --manifest-path fuzz/Cargo.toml --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet $(ALL) --no-deps
	.ci/rules
	cd web && npm run check

bench:
	bench/run $(ARGS)

fuzz:
	fuzz/run $(SECONDS) $(ARGS)

soak:
	ANTIPHON_LONG=1 cargo test $(ALL) --no-fail-fast
	$(MAKE) test-chaos CHAOS='--clients 50 --seconds 60 --every 1000'
	fuzz/run 3600

conformance: binaries $(CLIENT)
	CHROMIUM=$$(.ci/prepare) && export CHROMIUM $(CONFORMANCE) && conformance/run.sh full

coverage:
	.ci/coverage $(ARGS)

docs:
	cargo doc $(ALL) --no-deps
	@if command -v mdbook >/dev/null; then mdbook build docs; else echo 'The book needs mdbook (cargo install mdbook); its pages can be read in docs/src as they are.'; fi

clean:
	cargo clean
	rm -rf web/apps/*/dist web/node_modules web/apps/*/node_modules fuzz/target bench/target
