# The whole manual: `make synth`, `make test`, `make unit`, `make lint`, `make demo`, `make bench`. Each target sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export JSII_NODE := $(BIN)/node
# Else each process that a test starts compiles the library anew.
export PYTHONDONTWRITEBYTECODE :=
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 16

# pip needs several times as long as uv for these packages.
$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check "$$(grep ^uv== requirements.txt)"
	uv pip install --quiet --python $(BIN)/python --requirement requirements.txt
	touch $@

node_modules/.installed: package.json package-lock.json $(VENV)/.installed
	npm ci --silent
	touch $@

.PHONY: install
install: $(VENV)/.installed node_modules/.installed

.PHONY: requirements
requirements: $(VENV)/.installed  ## pin requirements.txt anew, from pyproject.toml
	{ printf '%s\n' '# Everything that app.py, the tests, the demo and the benchmarks need, pinned. Made by `make requirements`.' '-e .'; \
	  uv pip compile --quiet pyproject.toml --universal --python-version 3.10 --extra cli --extra nag --extra png --group dev --group docs \
	    --no-header --no-annotate --upgrade; } > requirements.txt

.PHONY: synth
synth: install  ## synthesize the reference app with five packs of cdk-nag, and show who holds which share
	cdk synth --quiet --no-notices
	breakwater plan cdk.out

.PHONY: servers
servers:  # real database servers, and a browser for the docs site; PostgreSQL comes from PyPI with the rest
	@if ! command -v mariadbd >/dev/null && ! test -x /usr/sbin/mariadbd || ! command -v redis-server >/dev/null || ! command -v pgbouncer >/dev/null && ! test -x /usr/sbin/pgbouncer || ! command -v openssl >/dev/null || ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then \
	  if [ "$$(id -u)" = 0 ]; then SUDO=; elif sudo -n true 2>/dev/null; then SUDO="sudo -n"; \
	  else echo "Install the servers first: sudo apt-get install --no-install-recommends mariadb-server-core redis-server pgbouncer openssl chromium" >&2; exit 1; fi; \
	  $$SUDO apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$SUDO apt-get install -y -qq --no-install-recommends mariadb-server-core redis-server pgbouncer openssl \
	    $$(command -v google-chrome >/dev/null || echo chromium) >/dev/null; \
	fi

.PHONY: lint
lint: install  ## ruff, pyrefly, the floors of the packages, and spelling
	ruff check .
	ruff format --check .
	pyrefly check
	lint-imports --no-cache
	codespell $$(git ls-files "*.py" "*.md" "*.toml" "*.cjs" "*.js" Makefile)

.PHONY: unit
unit: install  ## the unit tests, without servers
	pytest -n 2 tests/unit

.PHONY: test
test: install servers lint  ## every test, against real servers and the emulator
	pytest -n 3 --dist worksteal

.PHONY: coverage
coverage: install servers  ## every test, slower, and then the lines that none of them runs
	pytest -n 2 --cov --cov-report=
	coverage report --skip-covered

.PHONY: conformance
conformance: install servers  ## every promise of the runtime against every client; FUZZ=600 makes its fuzz longer
	BREAKWATER_FUZZ_SECONDS=$${FUZZ:-180} pytest -n 2 tests/runtime/conformance tests/runtime/test_life.py

.PHONY: release-check
release-check: install servers  ## build and look at both distributions, try them on each Python, and compare with the last release; six minutes
	rm -rf dist && python -m hatchling build --directory dist
	uv tool run --quiet twine check --strict dist/*
	pytest -q tests/test_wheel.py tests/versions tests/snapshot
	python -m tests.versions
	@if last=$$(git describe --tags --abbrev=0 2>/dev/null); then \
	  python -m tests.versions.breaks $$last && python -m tests.upgrade $$last; \
	else echo "No release yet, so there is none to compare with and none to upgrade from."; fi

.PHONY: docs-tables
docs-tables: install  ## write the generated tables and pictures of the docs anew
	python -m website.rule_list
	python -m website.decision_tree > docs/choose.svg
	python -m website.floors > docs/architecture.svg
	python -m website.diagrams
	python -m website.burst > docs/burst.svg
	python -m website.designs > docs/designs.svg
	python -m website.shares
	python -m website.costs
	python -m benchmarks.defaults --ours-only >/dev/null

.PHONY: docs
docs: docs-tables  ## write the generated tables anew, and build the docs site into build/site, a folder for each version
	python -m website

.PHONY: docs-versions
docs-versions: docs  ## build the docs site with the versions of all tags, each by its own tree
	for tag in $$(git tag --list "v*"); do \
	  test ! -d build/site/$${tag#v} || continue; \
	  git worktree add --quiet --force --detach build/$$tag $$tag; \
	  $(MAKE) --directory build/$$tag docs; \
	  mv build/$$tag/build/site/$${tag#v} build/site/; \
	  git worktree remove --force build/$$tag; \
	done
	python -c "from website import build, versions; versions.write_list(build.SITE)"

.PHONY: docs-serve
docs-serve: install  ## build the docs site and serve it on http://127.0.0.1:8000/
	python -m website --serve

.PHONY: bench
bench: install servers  ## measure; takes a while, wants an idle machine
	python -m benchmarks.synth
	test -d .bench-quota || { $(PYTHON) -m venv .bench-quota && .bench-quota/bin/pip install -qq --requirement benchmarks/quota/requirements.txt rich; }
	PYTHONPATH=.:lambda_src .bench-quota/bin/python -m benchmarks.quota
	test -d .bench-defaults || { $(PYTHON) -m venv .bench-defaults && .bench-defaults/bin/pip install -qq --requirement benchmarks/defaults/requirements.txt; }
	python -m benchmarks.defaults
	test -d .bench-checks || { $(PYTHON) -m venv .bench-checks && .bench-checks/bin/pip install -qq --requirement benchmarks/checks/requirements.txt; }
	python -m benchmarks.checks
	npm ci --silent --prefix benchmarks/runtime/node
	python -m benchmarks.runtime
	python -m benchmarks.deployments

.PHONY: versions
versions: install  ## synthesize with the lowest and highest versions of Python and the CDK to be had here
	python -m tests.versions

.PHONY: demo-recording
demo-recording: install servers  ## run the demo and write the README's recording of it anew
	python -m website.recording

.PHONY: demo
demo: install servers  ## deploy onto an emulator and overload a real MariaDB and a real PostgreSQL
	python -m demo
