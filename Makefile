# Two commands are all a newcomer needs: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9
JOBS ?= 2
EXTRAS ?=
READY := $(VENV)/.ready$(addprefix -,$(EXTRAS))
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/$(VENV)

.PHONY: help setup compiled run test test-long check fuzz test-loss test-clamd test-folders test-gate test-vm bench bench-gate bench-detect bench-folders bench-extract bench-mail bench-precision bench-evasion install uninstall clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## the virtual environment with locked, hashed dependencies; leaves .venv/bin/dlp (EXTRAS=ocr: text in pictures)

$(READY): pyproject.toml uv.lock scripts/system-packages
	@PYTHON=$(PYTHON) scripts/system-packages
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(UV) || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@$(UV) sync --frozen --quiet --inexact --compile-bytecode $(addprefix --extra ,$(EXTRAS))
	@touch $@

# Each start of the daemon or a command imports some 400 modules, and compiling them takes three times as long as the rest of a
# start; nobody else keeps what was compiled where PYTHONDONTWRITEBYTECODE is set.
compiled: setup
	@$(BIN)/python -m compileall -q dlp tests benchmarks

run: compiled ## the daemon on the checkout's own configuration (Ctrl-C stops it)
	@$(BIN)/dlp run

test: compiled ## the tests
	@scripts/system-packages --tests
	@$(BIN)/python -m pytest -rs -n $(JOBS) --dist loadfile --max-worker-restart 0 $(ARGS)

test-long: compiled ## the tests that take long, and the others at their full size (docs/testing.md)
	@scripts/system-packages --tests
	@DLP_LONG=1 $(BIN)/python -m pytest -rs -n $(JOBS) --dist loadfile --max-worker-restart 0 $(ARGS)

check: compiled ## what CI checks besides the tests
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

fuzz: setup ## Hypothesis on every parser and the policy, then each parser by coverage, for FUZZ_SECONDS (60) each
	@HYPOTHESIS_PROFILE=deep FUZZ_SECONDS=$${FUZZ_SECONDS:-60} $(BIN)/python -m pytest -n $(JOBS) tests/fuzz tests/policy --timeout 3000

test-gate: setup ## every way of writing to a gated drive, on two kinds, with 1,000 rounds of two racing writers, as root (docs/testing.md)
	@scripts/system-packages --tests
	@DLP_LONG=1 GATE_ROUNDS=1000 $(BIN)/python -m pytest -rs --timeout 1200 tests/channels/test_gate_mounted.py tests/e2e/test_gate.py $(ARGS)

bench-gate: setup ## what a gated drive costs beside the same one mounted plainly, as root (ARGS=--quick)
	@scripts/system-packages --tests
	@$(BIN)/python -m benchmarks.gate $(ARGS)

test-loss: setup ## 10,000 messages and 100 kill -9 of gateway, workers and next hop: nothing may be lost (docs/testing.md)
	@$(BIN)/python -m tests.loss

test-vm: setup ## USB sticks plugged into a virtual machine under qemu, as root: device control and drives (docs/testing.md)
	@scripts/system-packages --test-vm
	@$(BIN)/python -m tests.vm $(ARGS)

test-clamd: setup ## clamdscan, in each of its ways, beside `dlp scan` on the documents that DLP_CORPUS names (docs/testing.md)
	@scripts/system-packages --tests
	@$(BIN)/python -m tests.clamd $(ARGS)

test-folders: setup ## 50,000 files at once, moved trees, 50 kill -9, full disks, failing calls: no file may be missed (docs/testing.md)
	@scripts/system-packages --tests
	@$(BIN)/python -m tests.folders $(ARGS)
	@DLP_LONG=1 $(BIN)/python -m pytest -q tests/e2e/test_faults.py -k a_step_of

bench: setup ## the numbers of docs/performance.md, on this machine
	@$(BIN)/python -m benchmarks.end_to_end

bench-detect: setup ## how fast detection is: text to findings, folding, each rule (ARGS=--json); DLP_CORPUS adds real texts
	@$(BIN)/python -m benchmarks.detect $(ARGS)

bench-extract: setup ## what is read, how completely and how fast, beside other extractors; DLP_CORPUS names the documents
	@$(UV) sync --frozen --quiet --inexact --group bench
	@$(BIN)/python -m benchmarks.extract $(ARGS)

bench-precision: setup ## what is found of what is classified and of what is not; DLP_CORPUS names real documents (ARGS=--verbose)
	@$(BIN)/python -m benchmarks.precision $(ARGS)

bench-evasion: setup ## what is found when someone tries to hide it, class by class (ARGS=--missed: and what is not)
	@$(BIN)/python -m benchmarks.evasion $(ARGS)

bench-mail: setup ## what mail costs on its way through Postfix, ours and other filters, as root (ARGS=--quick: minutes)
	@scripts/system-packages --bench-mail
	@$(BIN)/python -m benchmarks.mail $(ARGS)

bench-folders: setup ## what watching folders loses and costs against raw inotify, and how long a verdict takes (ARGS=--quick)
	@$(BIN)/python -m benchmarks.folders $(ARGS)

install: setup ## install on this machine, as root: /opt/dlp, /etc/dlp, the systemd unit
	@EXTRAS="$(EXTRAS)" scripts/install

uninstall: ## take it away again, leaving /etc/dlp and /var/lib/dlp
	@scripts/install --remove

clean: ## remove the environment and everything the daemon wrote in the checkout
	rm -rf $(VENV) var
