# The customers API. `make help` lists what there is.

PYTHON ?= python3
BIN := .venv/bin
COUNT ?= 10000
# each has a MariaDB of its own, and is often waiting
WORKERS := --numprocesses 3 --dist worksteal
INSTALLED := .venv/.installed
CONTRACT := .venv/.contract
# Apart from the tests' packages: a layer that lacks one must not find it there.
EMULATOR := .venv/emulator
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade
LOCKED := --constraints requirements.txt

seed migrate: export AWS_ENDPOINT_URL_RDS_DATA ?= http://127.0.0.1:$(or $(DATA_API_PORT),8001)

##@ Run it
run: $(INSTALLED)  ## Start everything on 127.0.0.1:8000, over a real database (PORT=8010 for another)
	@$(BIN)/python -m local run

stack: $(INSTALLED)  ## Start everything but the API, to run `chalice local` beside it
	@$(BIN)/python -m local run --no-api

seed: $(INSTALLED)  ## Load generated customers into the running stack (COUNT=10000)
	@$(BIN)/python -m local.seed --count $(COUNT)

migrate: $(INSTALLED)  ## Bring the running stack's schema up to date
	@$(BIN)/python -m migrations

token: $(INSTALLED)  ## Print a token for the running stack (SCOPE="customers:read", or all)
	@$(BIN)/python -m local.issuer $(if $(SCOPE),--scope "$(SCOPE)")

reset: $(INSTALLED)  ## Empty the local database (YES=1 does not ask)
	@$(BIN)/python -m local reset $(if $(YES),--yes)

##@ Work on it
test: $(INSTALLED)  ## Run every test against the real database, with coverage
	@$(BIN)/pytest $(WORKERS) --cov --cov-report=term $(ARGS)

quick: $(INSTALLED)  ## Run the tests that take less than five seconds
	@$(BIN)/pytest $(WORKERS) -m "not slow" $(ARGS)

contract: $(CONTRACT)  ## Fuzz, break and browse the running service, and run a client generated for it
	@$(BIN)/pytest tests/breaking tests/contract --capture=no $(ARGS)

rehearse: $(EMULATOR)/.installed  ## Deploy staging into an emulated AWS, test it, change version, go back
	@$(BIN)/python -m tests.rehearsal $(EMULATOR)/bin/ministack

check: $(INSTALLED)  ## Check lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(INSTALLED)  ## Format the code, and mend what lint can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

openapi: $(INSTALLED)  ## Write the OpenAPI document anew, from schemas and routes
	@$(BIN)/python -m openapi

lock: $(INSTALLED)  ## Pin the requirements anew from pyproject.toml
	@$(BIN)/pip install --quiet uv==0.13.9
	@$(COMPILE) pyproject.toml --output-file requirements.txt
	@$(COMPILE) --group authorizer $(LOCKED) --output-file requirements-authorizer.txt
	@$(COMPILE) pyproject.toml --group dev $(LOCKED) --output-file requirements-dev.txt
	@$(COMPILE) pyproject.toml --group contract --constraints requirements-dev.txt \
		--output-file requirements-contract.txt
	@$(COMPILE) --group rehearsal --output-file requirements-rehearsal.txt

##@ About
help:  ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): requirements-dev.txt
	@$(PYTHON) local/bootstrap.py
	@touch $@

$(CONTRACT): requirements-contract.txt $(INSTALLED)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes \
		--requirement $<
	@touch $@

$(EMULATOR)/.installed: requirements-rehearsal.txt $(INSTALLED)
	@$(BIN)/python -m venv $(EMULATOR)
	@$(EMULATOR)/bin/pip install --quiet --disable-pip-version-check --no-compile \
		--require-hashes --requirement $<
	@touch $@

.DEFAULT_GOAL := help
.PHONY: run stack seed migrate token reset test quick contract rehearse check format openapi lock help
