# make demo: the Stars demo on three hosts in one machine.   make test: the whole test suite.   make help: the rest.
# Both install what they need: Debian packages (asks for root only for these) and a locked Python environment in .venv.

PYTHON := /usr/bin/python3
# sbin: where nft, bird and ip are, which Debian leaves out of an ordinary user's PATH
export PATH := $(PATH):/usr/sbin:/sbin
DEBIAN := python3-venv bird2 nftables iproute2
# real servers, browsers and tools that only tests and benchmarks start
DEBIAN_DEV := etcd-server etcd-client chromium fonts-inter tcpdump
VENV := .venv
PIP := $(VENV)/bin/pip --disable-pip-version-check --quiet
# a stamp holds for one lock file and one place of the checkout: .venv cannot be moved
RUN := $(VENV)/.run-$(shell cat requirements/run.lock pyproject.toml | cksum | cut -d' ' -f1)
DEV := $(VENV)/.dev-$(shell cat requirements/dev.lock pyproject.toml | cksum | cut -d' ' -f1)
FUZZ := $(VENV)/.fuzz-$(shell cat requirements/fuzz.lock | cksum | cut -d' ' -f1)
FUZZ_SECONDS := 60

# Random tests that decide: many, slow under coverage, and quick on several CPUs.
RANDOM := tests/differential tests/faults
PACKETS := tests/netns/test_packets_agree_with_oracle.py

.PHONY: demo test lint unit soak faults bench fuzz fuzzer reference screenshots install packages dev-packages clean help

demo: $(RUN)  ## Run the Stars demo (DEMO="--no-pause" for options)
	$(VENV)/bin/tortie demo stars $(DEMO)

test: $(DEV) lint  ## Run the whole test suite
	$(VENV)/bin/pytest -n auto --dist loadfile --cov --cov-report=term:skip-covered $(or $(TESTS),$(addprefix --ignore=,$(RANDOM)))
	$(if $(TESTS),,$(VENV)/bin/pytest -q -n auto $(RANDOM))

unit: $(DEV)  ## Run the tests that need no namespaces
	$(VENV)/bin/pytest -q tests/unit

lint: $(DEV)  ## Formatting, lint, types, package rows
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

soak: $(DEV)  ## The slow suites at full length; what random tests counted goes to docs/soak.md
	TORTIE_SOAK=1 $(VENV)/bin/pytest -q tests $(addprefix --ignore=,$(RANDOM) $(PACKETS))
	TORTIE_SOAK=1 TORTIE_FAULTS=all $(VENV)/bin/pytest -q -n auto --results docs/soak.md $(RANDOM) $(PACKETS)

faults: $(DEV)  ## Put each seeded fault into a copy of the code, and see that a test finds it
	TORTIE_FAULTS=all $(VENV)/bin/pytest -q -n auto tests/faults

bench: $(DEV)  ## Measure and print ratios
	@for script in bench/*.py; do echo "== $$script"; $(VENV)/bin/python $$script || exit 1; done

fuzz: $(FUZZ)  ## Fuzz all parsers at once for a minute (FUZZ_SECONDS=60)
	$(VENV)/bin/python fuzz/run.py --seconds $(FUZZ_SECONDS)

fuzzer: $(FUZZ)  ## Only install the fuzzer, which `make test` then tests too

reference: $(DEV)  ## Rewrite docs/reference from the declarations
	scripts/reference

screenshots: $(DEV)  ## Take the screenshots of docs/screenshots anew
	$(VENV)/bin/pytest -q tests/lab/test_stars_page.py tests/lab/test_lab_page.py --update-screenshots

install: $(RUN)  ## Only install

packages:
	@scripts/debian-packages $(DEBIAN)

dev-packages:
	@scripts/debian-packages $(DEBIAN) $(DEBIAN_DEV)

$(VENV)/bin/pip: | packages
	@echo "Making a Python environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)

$(RUN): | packages $(VENV)/bin/pip
	@echo "Installing Tortie and its locked dependencies"
	$(PIP) install --require-hashes -r requirements/run.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.run-*; touch $@

$(DEV): | dev-packages $(VENV)/bin/pip
	@echo "Installing Tortie and the locked dependencies of its tests"
	$(PIP) install --require-hashes -r requirements/dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.run-* $(VENV)/.dev-*; touch $@ $(RUN)

$(FUZZ): $(RUN)
	@echo "Installing the locked fuzzer"
	$(PIP) install --require-hashes -r requirements/fuzz.lock
	@rm -f $(VENV)/.fuzz-*; touch $@

clean:  ## Remove what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

help:  ## This list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile
