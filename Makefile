# Two commands: `make serve` and `make test`. What they do is in tools/; this file only names it.
.DEFAULT_GOAL := help
.PHONY: help build serve test check hooks install conformance load bench-serving schemes-table clean

MODEL ?=
SCHEME ?=
HOST ?= 127.0.0.1
PORT ?= 30000
PREFIX ?= /usr/local
LEN ?= 256
SECONDS ?= 600

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'
	@echo
	@echo '  make serve MODEL=PATH    a GGUF file or a Hugging Face directory instead of the default model'
	@echo '  make serve SCHEME=S      w8a8, w4a8, w4a4, w8a16, w4a16, w4a4-w8a8, or none (no quantization)'
	@echo '  make serve HOST=H PORT=N where to listen (127.0.0.1, 30000)'
	@echo '  make install PREFIX=DIR  where to install (/usr/local)'

build: ## the release binary: build/release/bin/tessera
	@tools/install_dependencies build
	@tools/build release

serve: ## install, build, fetch the default model, quantize it, serve it on 127.0.0.1:30000
	@MODEL='$(MODEL)' SCHEME='$(SCHEME)' HOST='$(HOST)' PORT='$(PORT)' tools/serve

test: ## install, build with sanitizers and in release, run every test
	@tools/run_tests

check: ## format, layers, sizes, banned words, tidy on what changed, fast tests
	@tools/check

hooks: ## check format, layers, sizes and banned words before each commit
	git config core.hooksPath tools/hooks

conformance: ## clients, benchmark, router and fuzzer that others wrote against the release binary
	@tools/install_dependencies build
	@tools/build release
	tests/conformance/run all

load: ## 64 clients for ten minutes that ask, cancel, leave, dawdle and talk nonsense: every answer compared, nothing left over
	@tools/install_dependencies build
	@tools/build release
	tests/load/run --seconds '$(SECONDS)' --output build/load.json

bench-serving: ## 64 prompts at once, 256 tokens in and 256 out, to the default model in W4A4 (LEN=2048: as reported)
	@LEN='$(LEN)' tools/bench_serving

schemes-table: build ## the README's table of schemes, measured anew on the default model
	@tools/schemes_table

install: build ## the release binary into PREFIX/bin
	cmake --install build/release --prefix '$(PREFIX)'

clean: ## removes build/
	rm -rf build
