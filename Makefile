# Every command a person needs. On a fresh machine with Rust, `make run` and `make test` install what else they need.

CARGO ?= cargo
APT := $(shell [ "$$(id -u)" = 0 ] || echo sudo) apt-get
# The official interface files, for those who have them (see README); tests also check messages against them.
export LRS_CONTRACT_DIR ?= $(shell [ -d ../shared/lrs/wsdl ] && cd ../shared/lrs && pwd)

.PHONY: run test test-deploy check format bench openapi compiler tools

run: compiler ## the demonstration: gateway and simulated LRS in one process
	$(CARGO) run --quiet -- demo

test: compiler tools check ## formatting, lints, every test, and the OpenAPI documents against the code
	$(CARGO) test --locked
	$(CARGO) run --quiet --locked -- openapi --check

test-deploy: ## the chart and the image, as operators use them; installs what it needs and says what it could not do (tests/deploy/run.sh)
	./tests/deploy/run.sh

check: ## formatting and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings

format: ## put the code in order
	$(CARGO) fmt

openapi: ## write the OpenAPI documents anew
	$(CARGO) run --quiet -- openapi > openapi/openapi.json.new && mv openapi/openapi.json.new openapi/openapi.json
	$(CARGO) run --quiet -- openapi --v3.0 > openapi/openapi-3.0.json.new && mv openapi/openapi-3.0.json.new openapi/openapi-3.0.json

bench: tools ## time, allocations and instructions of the hot path, of limits and of batches (docs/PERFORMANCE.md)
	$(CARGO) bench --bench hot_path
	$(CARGO) bench --bench limits
	$(CARGO) bench --bench batch_acceptance
	@if command -v valgrind >/dev/null; then ./benches/instructions.sh; else echo "valgrind is not installed: no instruction counts"; fi

compiler: ## a C compiler, for the cryptography
	@command -v cc >/dev/null || { $(APT) update -qq && $(APT) install -y -qq gcc libc6-dev; }

tools: ## a Redis for the tests; xmllint, with which they check messages against schemas
	@command -v redis-server >/dev/null || { $(APT) update -qq && $(APT) install -y -qq redis-server; }
	@[ -z "$$LRS_CONTRACT_DIR" ] || command -v xmllint >/dev/null || { $(APT) update -qq && $(APT) install -y -qq libxml2-utils; }
