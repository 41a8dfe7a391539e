# Every command that a person needs. `make` prints them. `make run` and `make test` work on a fresh machine with Rust: they install the
# other programs that they need.

CARGO ?= cargo
LISTEN ?= 127.0.0.1:8080
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# Address of the repository, without a login.
SOURCE = git config --get remote.origin.url | sed 's,//[^/@]*@,//,'
APT := $(shell [ "$$(id -u)" = 0 ] || echo sudo) apt-get
# Directory of LRS's interface files (WSDL and XSD), if you have them (see CONTRIBUTING.md). The tests then check messages against them.
export LRS_CONTRACT_DIR ?= $(shell [ -d ../shared/lrs/wsdl ] && cd ../shared/lrs && pwd)

.DEFAULT_GOAL := help
.PHONY: help run test test-native-tls test-chart test-deploy test-soap-clients test-clients client-baseline lint-openapi test-docs test-contract durability check format bench capacity fuzz soak openapi docs compiler tools audit cargo-deny image licences sbom

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: compiler ## run the demonstration: the gateway and a simulated LRS in one process; LISTEN is its address
	$(CARGO) run -- demo --listen $(LISTEN) --env-file demo.env

test: compiler tools check ## check formatting and lints, run every test, and compare the OpenAPI documents with the code
	$(CARGO) test --locked --workspace
	$(CARGO) run --quiet --locked -- openapi --check

test-native-tls: compiler tools ## lint and test the build with the system's TLS (docs/TLS.md): connections only
	@pkg-config --exists openssl 2>/dev/null || { $(APT) update -qq && $(APT) install -y -qq libssl-dev pkg-config; }
	$(CARGO) clippy --locked --all-targets --features native-tls -- --deny warnings
	$(CARGO) test --locked --features native-tls -- connect:: proxy:: renegotiation:: organisations:: tls_alert::

test-chart: ## test the Helm chart, the Dockerfile, compose.yaml and the alerts, but build no image; install what the tests need
	./tests/deploy/run.sh chart

test-deploy: ## test the Helm chart and the container image; install what the tests need, and report the tests that could not run
	./tests/deploy/run.sh

test-soap-clients: compiler ## call the simulator with SOAP clients of other projects, from LRS's WSDLs; report the clients that could not run
	$(CARGO) build --quiet --locked
	./tests/soap-clients/run.sh

test-clients: compiler ## generate clients in nine languages, compile them, and let them call the demonstration (docs/CLIENTS.md); CLIENTS names some
	$(CARGO) build --quiet --locked
	./tests/clients/run.sh $(CLIENTS)

client-baseline: ## replace the old clients and their document, which later versions must serve, by the present ones (docs/CLIENTS.md)
	./tests/clients/baseline.sh

lint-openapi: ## check the OpenAPI documents with redocly, spectral and vacuum; report the linters that could not run
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { $(APT) update -qq && $(APT) install -y -qq python3-venv; }
	./tests/openapi-lint/run.sh

test-docs: compiler tools ## run the commands of the guides, check each page of the documentation in a browser, and run the collections; DOCS names parts
	$(CARGO) build --quiet --locked
	./tests/docs/run.sh $(DOCS)

test-contract: compiler tools ## send generated requests to the demonstration and to a configured gateway, and check the answers against the OpenAPI document
	$(CARGO) build --quiet --locked
	./tests/schemathesis/run.sh

durability: compiler ## kill replicas and Redis in each persistence mode, and print what is kept (docs/BATCHES.md); takes about ten minutes
	$(CARGO) build --quiet --locked
	python3 tests/durability/kill.py target/debug/lrs-gateway

check: ## check formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) fmt --all --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings

format: ## format the code
	$(CARGO) fmt --all
	$(CARGO) fmt --all --manifest-path fuzz/Cargo.toml

openapi: compiler tools ## write the OpenAPI documents, and the collections for Postman and Bruno from them
	$(CARGO) run --quiet -- openapi > openapi/openapi.json.new && mv openapi/openapi.json.new openapi/openapi.json
	$(CARGO) run --quiet -- openapi --v3.0 > openapi/openapi-3.0.json.new && mv openapi/openapi-3.0.json.new openapi/openapi-3.0.json
	python3 -B examples/collections/make.py

docs: ## write the generated parts of the pages in docs/
	UPDATE_DOCS=1 $(CARGO) test --quiet --test gateway page_has -- --test-threads=1

bench: tools ## measure the hot path, rate limits and batches (docs/PERFORMANCE.md), and the constants of the capacity model (docs/CAPACITY.md)
	$(CARGO) bench --bench hot_path
	$(CARGO) bench --bench limits
	$(CARGO) bench --bench batch_acceptance
	@if command -v valgrind >/dev/null; then ./benches/instructions.sh; else echo "valgrind is not installed: instructions are not counted"; fi
	$(CARGO) build --quiet --locked --release
	PYTHONDONTWRITEBYTECODE=1 python3 benches/capacity/measure.py target/release/lrs-gateway

capacity: compiler tools ## check the capacity model with 10,000 simulated organisations and two replicas (docs/CAPACITY.md): three minutes
	$(CARGO) build --quiet --locked --release
	PYTHONDONTWRITEBYTECODE=1 python3 benches/capacity/run.py target/release/lrs-gateway

image: ## build the container image lrs-gateway:VERSION with its labels (docs/OPERATIONS.md)
	docker build --tag lrs-gateway:$(VERSION) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
		--build-arg CREATED=$$(git log -1 --format=%cI) --build-arg SOURCE="$$($(SOURCE))" .

fuzz: compiler ## fuzz each target for FUZZ_SECONDS (60), and report executions, coverage and findings (docs/ARCHITECTURE.md, "Fuzzing")
	@command -v c++ >/dev/null || { $(APT) update -qq && $(APT) install -y -qq g++; }
	@command -v cargo-fuzz >/dev/null || $(CARGO) install --locked cargo-fuzz
	$(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml --all-targets --target-dir target -- --deny warnings
	./fuzz/run.sh

soak: compiler tools ## soak the program for SOAK_SECONDS (600) with good, bad and hostile traffic (docs/PERFORMANCE.md, "Soak")
	$(CARGO) build --quiet --locked --release
	PYTHONDONTWRITEBYTECODE=1 python3 tests/soak/soak.py target/release/lrs-gateway

audit: compiler cargo-deny ## check advisories, licences and sources of every dependency (deny.toml)
	$(CARGO) deny --locked check

licences: compiler cargo-deny ## check licences, sources and banned crates of every dependency (deny.toml), without the database of advisories
	$(CARGO) deny --locked check licenses sources bans

cargo-deny: # the debug build is enough, and is compiled sooner
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked --debug --version 0.20.2 cargo-deny

sbom: compiler ## write a software bill of materials of the program (CycloneDX, JSON); the image has its own
	@$(CARGO) cyclonedx --version >/dev/null 2>&1 || $(CARGO) install --locked --debug --version 0.5.9 cargo-cyclonedx
	$(CARGO) cyclonedx --format json --spec-version 1.5 --target all --override-filename lrs-gateway.cdx
	@rm -f derive/lrs-gateway.cdx.json # the derives are in the program's own bill

compiler: ## install a C compiler, for the cryptography library
	@command -v cc >/dev/null || { $(APT) update -qq && $(APT) install -y -qq gcc libc6-dev; }

tools: ## install the programs that tests use: Redis, OpenSSL (a TLS server that renegotiates), tinyproxy, nginx, Python, xmllint (XSD)
	@command -v python3 >/dev/null || { $(APT) update -qq && $(APT) install -y -qq python3; }
	@command -v redis-server >/dev/null || { $(APT) update -qq && $(APT) install -y -qq redis-server; }
	@command -v openssl >/dev/null || { $(APT) update -qq && $(APT) install -y -qq openssl; }
	@command -v tinyproxy >/dev/null || { $(APT) update -qq && $(APT) install -y -qq tinyproxy; }
	@# Tests run nginx with a configuration of their own. The variable keeps the package from starting its service.
	@[ -x /usr/sbin/nginx ] || { $(APT) update -qq && $(patsubst %apt-get,env RUNLEVEL=1 apt-get,$(APT)) install -y -qq --no-install-recommends nginx; }
	@[ -z "$$LRS_CONTRACT_DIR" ] || command -v xmllint >/dev/null || { $(APT) update -qq && $(APT) install -y -qq libxml2-utils; }
