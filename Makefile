# Every command a person needs. On a fresh machine with Rust, `make run` and `make test` install what else they need.

CARGO ?= cargo
APT := $(shell [ "$$(id -u)" = 0 ] || echo sudo) apt-get
# The official interface files, for those who have them (see README); tests also check messages against them.
export LRS_CONTRACT_DIR ?= $(shell [ -d ../shared/lrs/wsdl ] && cd ../shared/lrs && pwd)

.PHONY: run test test-native-tls test-deploy check format bench openapi compiler tools audit sbom

run: compiler ## the demonstration: gateway and simulated LRS in one process
	$(CARGO) run --quiet -- demo

test: compiler tools check ## formatting, lints, every test, and the OpenAPI documents against the code
	$(CARGO) test --locked
	$(CARGO) run --quiet --locked -- openapi --check

test-native-tls: compiler tools ## what differs in a program with the system's TLS (docs/TLS.md): lints, and the tests of connections
	@pkg-config --exists openssl 2>/dev/null || { $(APT) update -qq && $(APT) install -y -qq libssl-dev pkg-config; }
	$(CARGO) clippy --locked --all-targets --features native-tls -- --deny warnings
	$(CARGO) test --locked --features native-tls -- connect:: renegotiation:: organisations:: alert::

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

audit: compiler ## advisories, licences and sources of every dependency (deny.toml)
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --locked check

sbom: compiler ## a software bill of materials (CycloneDX, JSON) of what is in the program
	@command -v cargo-cyclonedx >/dev/null || $(CARGO) install --locked cargo-cyclonedx
	$(CARGO) cyclonedx --format json --spec-version 1.5 --target all --override-filename lrs-gateway.cdx

compiler: ## a C compiler, for the cryptography
	@command -v cc >/dev/null || { $(APT) update -qq && $(APT) install -y -qq gcc libc6-dev; }

tools: ## a Redis for the tests; OpenSSL, as a server that renegotiates; xmllint, with which they check messages against schemas
	@command -v redis-server >/dev/null || { $(APT) update -qq && $(APT) install -y -qq redis-server; }
	@command -v openssl >/dev/null || { $(APT) update -qq && $(APT) install -y -qq openssl; }
	@[ -z "$$LRS_CONTRACT_DIR" ] || command -v xmllint >/dev/null || { $(APT) update -qq && $(APT) install -y -qq libxml2-utils; }
