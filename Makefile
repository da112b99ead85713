# The two commands of the README, and the pieces they are made of. Everything runs on a fresh machine with a Rust
# toolchain, make and git: `setup` gets the rest, and says what it does.
#
#   make demo            the order system on a real RabbitMQ: 1,000 orders, every one accounted for
#   make demo KILLS=20   the same, while the host is killed 20 times with SIGKILL
#   make test            all tests: unit, and the real binary against a real RabbitMQ
#   make test BROKER=4   the integration tests against RabbitMQ 4 (Debian and root only)
#   make languages       the SDKs and templates of all guest languages: toolchains, unit tests, and the conformance suite on
#                        each of them. Takes minutes the first time. ONLY=python does one
#   make chaos           the fault harness: every scenario on RabbitMQ 3 and 4 and a cluster; takes an hour, writes
#                        tests/chaos/RESULTS.md. ONLY='host_*' runs some of them
#   make ci              what CI runs: formatting, lints, all tests
#   make bench           the host beside native, Node and Python consumers on one broker; half an hour, writes
#                        tests/bench/RESULTS.md. ONLY=consume,publish measures a part; BROKER, ROUNDS=5, MESSAGES=30000
#   make bench-hostile   what handlers lose to a hostile one in the same host; writes tests/hostile/RESULTS.md
#   make bench-contracts how long it takes to load a contract of 1,000 consumers
#   make bench-pipeline  what a message costs in the host itself, step by step, without a broker
#   make bench-instructions  the same in instructions, against those that are kept (valgrind); BLESS=1 keeps new ones
#   make stop            stop the project's own RabbitMQ

SHELL := /bin/bash
ORDERS ?= 1000
KILLS ?= 0
BROKER ?= 3
ONLY ?= *
ROUNDS ?= 5
MESSAGES ?= 30000

# The benchmark is about RabbitMQ 4 unless BROKER is given.
BENCH_BROKER := $(if $(filter command environment,$(firstword $(origin BROKER))),$(BROKER),4)

BEHAVIOURS := target/behaviours
HANDLERS := examples/orders/handlers
# The project's own broker, unless WARREN_AMQP_URL names another one.
BROKER_ENV := source scripts/use-broker $(BROKER)

.PHONY: help setup build handlers behaviours foreign broker demo test unit integration languages chaos chaos-quick failpoints lint ci bench bench-contracts bench-hostile bench-instructions bench-pipeline bench-waiting stop clean documents

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

setup:
	@scripts/setup $(if $(filter 4,$(BROKER)),--broker-4)

build: setup
	@echo "== building the host (the first time takes minutes)"
	@cargo build --release --workspace

handlers: setup
	@echo "== building the example's handlers"
	@scripts/build-handlers --out $(HANDLERS) $(HANDLERS)

behaviours: setup
	@echo "== building the test guests"
	@scripts/build-handlers --examples --out $(BEHAVIOURS) guests/behaviours
	@$(MAKE) --no-print-directory hostile

# Guests that no compiler would make.
hostile:
	@cargo run --quiet --release --manifest-path guests/Cargo.toml --target-dir target/guests-native -p hostile -- $(BEHAVIOURS)/hostile

# Test guests for the worlds of other hosts; those in Python only where their tool can be had.
foreign: setup
	@echo "== building the test guests of other hosts"
	@guests/foreign/build target/foreign

# What the integration tests read AsyncAPI documents with. Without npm they skip that, and say so.
documents:
	@scripts/setup --npm || echo "AsyncAPI documents will not be read with the official parser"
	@tests/asyncapi/prepare

broker: setup
	@$(BROKER_ENV)

demo: build handlers broker
	@$(BROKER_ENV) && target/release/orders-demo --orders $(ORDERS) --kills $(KILLS)

test: unit integration chaos-quick

unit: build
	@echo "== unit tests"
	@cargo test --release --workspace --lib --bins
	@cargo test --manifest-path guests/Cargo.toml --target-dir target/guests-native -p warren-guest

integration: build handlers behaviours foreign documents broker
	@echo "== integration tests: the real binary, a real RabbitMQ, one vhost for each test"
	@$(BROKER_ENV) && WARREN_CONFORMANCE_CALLS=$${WARREN_CONFORMANCE_CALLS:-2000} cargo test --release -p warren --test integration

# A language whose toolchain cannot be had here is left out, unless WARREN_TEST_LANGUAGES=required.
languages: build behaviours broker
	@echo "== guest languages: toolchains, SDKs, templates"
	@guests/languages $(filter-out *,$(ONLY))
	@echo "== the order system, each handler in another language"
	@examples/orders-polyglot/build --test $(filter-out *,$(ONLY)) || [ $$? = 3 ]
	@echo "== conformance: one table for all languages, the real binary, a real RabbitMQ"
	@$(BROKER_ENV) && cargo test --release -p warren --test integration -- conformance:: border:: polyglot::

# The host with the failpoints that the fault harness kills it at.
failpoints: build
	@cargo build --release -p warren --features failpoints --bin warren-failpoints

CHAOS := target/release/warren-chaos

chaos: build failpoints behaviours
	@scripts/setup --broker-4 || echo "the scenarios on RabbitMQ 4 will be skipped"
	@echo "== fault harness: every scenario"
	@$(CHAOS) --only '$(ONLY)' --report tests/chaos/RESULTS.md

chaos-quick: build failpoints behaviours
	@echo "== fault harness: the quick set"
	@$(CHAOS) --quick --broker $(BROKER)

lint:
	@echo "== formatting and lints"
	@cargo fmt --all -- --check
	@cargo fmt --manifest-path guests/Cargo.toml --all -- --check
	@cargo fmt --manifest-path guests/rust/template/Cargo.toml -- --check
	@cargo fmt --manifest-path $(HANDLERS)/Cargo.toml --all -- --check
	@rustfmt --check --edition 2024 tests/chaos/src/scenarios/*.rs # found by build.rs, where cargo fmt does not look
	@cargo clippy --release --workspace --all-targets -- -D warnings

ci: lint test

# On a machine that does nothing else.
bench: build behaviours
	@tests/bench/prepare
	@$(if $(filter 3,$(BENCH_BROKER)),,scripts/setup --broker-4)
	@target/release/warren-bench --warren target/release/warren --broker $(BENCH_BROKER) --rounds $(ROUNDS) --messages $(MESSAGES) $(if $(filter-out *,$(ONLY)),--only '$(ONLY)')

# On a machine that does nothing else: what handlers lose to a hostile one in the same host. ONLY=loops measures some.
bench-hostile: build behaviours broker
	@$(BROKER_ENV) && ONLY='$(filter-out *,$(ONLY))' cargo test --release -p warren --test integration neighbours:: -- --ignored --nocapture

# What a call costs on a fiber and on a thread, and a thousand that wait.
bench-waiting: setup
	@cargo bench -p warren --bench waiting

bench-contracts: setup
	@echo "== benchmark: loading a contract of 1,000 consumers"
	@cargo bench -p warren --bench contracts

# Needs no broker, only a guest of a real toolchain.
bench-pipeline: target/behaviours/succeeds.wasm
	@echo "== benchmark: the pipeline without a broker"
	@cargo bench -p warren --bench pipeline
	@cargo bench -p warren --bench pipeline -- divan

bench-instructions: target/behaviours/succeeds.wasm
	@echo "== benchmark: instructions of the pipeline"
	@cargo bench -p warren --bench pipeline -- instructions

target/behaviours/succeeds.wasm:
	@$(MAKE) --no-print-directory behaviours

# Those of the fault harness too: a run that is broken off leaves them running.
stop:
	@scripts/broker stop
	@for state in .warren/broker-chaos* .warren/broker-4-chaos*; do \
		if [ -f $$state/ports ]; then \
			name=$${state##*-}; case $$state in *-4-*) version="--version 4" ;; *) version= ;; esac; \
			scripts/broker $$version --name $$name stop; \
		fi; \
	done

clean: stop
	@scripts/broker wipe
	@cargo clean
