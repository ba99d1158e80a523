# Use the tools in node_modules/.bin, including Node, because the machine's own may be older.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
INSTALLED := node_modules/.package-lock.json
# The tests that depend most on the API server. They also run on the oldest and the newest supported version.
LEANING := crd install rbac release-kept release-rollout release-spec rollback tenants budgets capacity
# With REPORTS=FOLDER each test run writes its results there as JSON.
report = $(if $(REPORTS),--reporter=default --reporter=json --outputFile.json=$(REPORTS)/$(1).json)

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): package.json package-lock.json
	@echo 'Installing the npm packages …' >&2
	@npm ci --no-audit --no-fund --loglevel=error >&2
	@touch $@

.PHONY: demo
demo: build ## Run the demo on a control plane with simulated VMs; CLUSTER=current: on your own cluster; IMAGE=NAME PORT=N: with another web server
	@node test/demo/demo.ts $(if $(CLUSTER),--cluster=$(CLUSTER) $(if $(IMAGE),--image=$(IMAGE)) $(if $(PORT),--port=$(PORT)))

.PHONY: cluster
cluster: $(INSTALLED) ## Start a control plane with simulated VMs and leave it running
	@node test/cluster/cluster.ts up

.PHONY: cluster-down
cluster-down: $(INSTALLED) ## Stop the control plane of `make cluster`
	@node test/cluster/cluster.ts down

.PHONY: run
run: $(INSTALLED) ## Run the operator against the current kubectl context: ARGS="--log-level=debug"
	@node scripts/run.ts $(ARGS)

.PHONY: explain
explain: $(INSTALLED) ## Say why nothing happens to a release of the current kubectl context: RELEASE=NAMESPACE/NAME
	@node scripts/explain.ts $(RELEASE)

.PHONY: test
test: check unit chart simulation integration ## All checks and tests but the end-to-end ones

.PHONY: check
check: $(INSTALLED) ## Lint, formatting, types, generated files
	@$(MAKE) --jobs=2 --keep-going --output-sync=target lint format-check typecheck verify

.PHONY: lint
lint: eslint layers exports ## Lint; check layers of src/, circular imports, dead exports

.PHONY: eslint
eslint: $(INSTALLED)
	@eslint .

.PHONY: layers
layers: $(INSTALLED)
	@depcruise --config .dependency-cruiser.mjs --output-type err src scripts

.PHONY: exports
exports: $(INSTALLED)
	@knip

.PHONY: format
format: $(INSTALLED) ## Format every file
	@prettier --write --log-level warn .

.PHONY: format-check
format-check: $(INSTALLED) ## List the files that are not formatted
	@prettier --check --log-level warn .

.PHONY: typecheck
typecheck: $(INSTALLED) ## Check the types
	@tsc --noEmit

.PHONY: generate
generate: $(INSTALLED) ## Write the generated files: CRDs, docs/reference.md, the chart's CRDs, dashboard and table of values
	@node scripts/generate.ts

.PHONY: helm-docs
helm-docs: generate ## Write the table of values in the chart's README (same as generate)

.PHONY: verify
verify: $(INSTALLED) ## Fail if a generated file is not up to date
	@node scripts/generate.ts --check

.PHONY: unit
unit: $(INSTALLED) ## Unit tests: FILE='gates rollback' for some files
	@vitest run --project unit $(FILE) $(call report,unit)

.PHONY: fuzz
fuzz: $(INSTALLED) ## Fuzz specs and the operator's annotations: SECONDS=600 (a minute)
	@FUZZ_SECONDS=$(or $(SECONDS),60) vitest run --project unit src/release/hostile.test.ts $(call report,fuzz)

.PHONY: watch
watch: $(INSTALLED) ## Unit tests, repeated after each change: FILE=gates
	@vitest watch --project unit $(FILE)

.PHONY: coverage
coverage: $(INSTALLED) ## Coverage of src/ by the unit tests
	@vitest run --project unit --coverage.enabled --coverage.include='src/**' --coverage.reporter=text-summary --coverage.reporter=html

.PHONY: chart
chart: $(INSTALLED) ## Tests of the Helm chart, with the real Helm
	@vitest run --project chart $(call report,chart)

.PHONY: simulation
simulation: $(INSTALLED) ## Simulated histories: SIM_HISTORIES=300 SIM_SEED=1
	@vitest run --project simulation $(call report,simulation)

# GOGC: the control planes take more memory, and a tenth less of the processors.
.PHONY: integration
integration: build ## Tests on a real API server: KUBERNETES=1.34|1.37 ONLY='crd rollback'
	@GOGC=400 KUBERNETES=$(KUBERNETES) vitest run --project integration $(ONLY) $(call report,integration$(KUBERNETES))

.PHONY: e2e
e2e: build ## Tests on a kind cluster: KEEP=1 keeps and reuses the cluster; NODES=pull|build
	@KEEP=$(KEEP) NODES=$(NODES) vitest run --project e2e --project e2e-alone $(call report,e2e)

.PHONY: e2e-vm
e2e-vm: build ## Tests with two virtual machines that join the kind cluster: KEEP=1
	@KEEP=$(KEEP) vitest run --project e2e-vm $(call report,e2e-vm)

.PHONY: nightly
nightly: ## The longest tests: more random cases, virtual machines, other versions of Kubernetes
	@SIM_HISTORIES=$${SIM_HISTORIES:-10000} $(MAKE) simulation
	@$(MAKE) fuzz SECONDS=$${FUZZ_SECONDS:-1200}
	@DRIFT_CASES=$${DRIFT_CASES:-500} $(MAKE) integration ONLY=stored-form
	@$(MAKE) bench RELEASES=$${RELEASES:-5000}
	@$(MAKE) e2e-vm
	@for version in 1.34 1.37; do $(MAKE) integration KUBERNETES=$$version ONLY='$(LEANING)'; done

.PHONY: e2e-down
e2e-down: $(INSTALLED) ## Remove the cluster of `make e2e KEEP=1`
	@node test/kind/cluster.ts down

.PHONY: image
image: build ## Build the operator's image with Docker or Podman: TAG=NAME BASE=IMAGE
	@node scripts/image.ts $(if $(TAG),--tag=$(TAG)) $(if $(BASE),--base=$(BASE))

.PHONY: sbom
sbom: build ## Write the bill of materials to dist/sbom.cdx.json (CycloneDX)
	@node scripts/sbom.ts

.PHONY: bench
bench: build ## Measure; JSON=FILE writes the figures too; RELEASES=5000: so many in one namespace
	@node test/bench/bench.ts $(if $(RELEASES),--only h --many $(RELEASES)) $(if $(JSON),--json $(JSON))

.PHONY: bench-clients
bench-clients: build ## Measure on a kind cluster how soon clients reach the version before, beside a bare client: KEEP=1
	@KEEP=$(KEEP) NODES=$(NODES) vitest run --project e2e-bench

.PHONY: build
build: $(INSTALLED) ## Bundle the operator to dist/operator.mjs, and the kubectl plugin to dist/kubectl-apprelease.mjs
	@node scripts/build.ts
	@node scripts/build-cli.ts

PREFIX ?= $(HOME)/.local

.PHONY: install-cli
install-cli: build ## Install the kubectl plugin to PREFIX/bin: PREFIX=~/.local
	@mkdir -p $(PREFIX)/bin
	@install -m 755 dist/kubectl-apprelease.mjs $(PREFIX)/bin/kubectl-apprelease
	@echo "$(PREFIX)/bin/kubectl-apprelease installed"

.PHONY: clean
clean: ## Remove built and cached files
	@if [ -d .cache/cluster ]; then $(MAKE) cluster-down; fi
	@rm -rf dist .cache node_modules
