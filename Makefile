# The customers API. `make help` lists what there is.

PYTHON ?= python3
BIN := .venv/bin
COUNT ?= 10000
# each has a MariaDB of its own, and is often waiting
WORKERS := --numprocesses 3 --dist worksteal
INSTALLED := .venv/.installed
CONTRACT := .venv/.contract
CREATOR := echo $(BIN)/python
INSTALL := pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --upgrade
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

test-all: $(INSTALLED)  ## Run the tests on every supported Python that this machine has
	@$(BIN)/python -m tests.every_python $(WORKERS) $(ARGS)

contract: $(CONTRACT) .venv/audit/.installed .venv/fuzz/.installed  ## Fuzz, break and browse the running service, and run a client generated for it
	@$(BIN)/pytest tests/breaking --capture=no $(ARGS)
	@$(BIN)/pytest tests/contract --numprocesses 2 --dist loadfile --durations 10 $(ARGS)

audit: .venv/audit/.installed  ## Look for known vulnerabilities in what the lock files name
	@for lock in requirements*.txt requirements/*.txt; do \
		echo $$lock; .venv/audit/bin/pip-audit --strict --disable-pip --requirement $$lock || exit; done

rehearse: .venv/rehearsal/.installed  ## Deploy staging into an emulated AWS, test it, change version, go back
	@$(BIN)/python -m tests.rehearsal .venv/rehearsal/bin/ministack

bench: .venv/bench/.installed  ## Measure the service beside its peers, and draw docs/performance
	@$(BIN)/python -m benchmarks --python .venv/bench/bin/python $(ARGS)

budget: $(INSTALLED)  ## Check that the service costs no more than its budget (ARGS=--update sets it)
	@$(BIN)/python -m benchmarks.budget $(ARGS)

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
	@$(COMPILE) --group authorizer $(LOCKED) --output-file requirements/authorizer.txt
	@$(COMPILE) --group tracing --no-deps $(LOCKED) --output-file requirements/tracing.txt
	@$(COMPILE) pyproject.toml --group dev $(LOCKED) --output-file requirements-dev.txt
	@$(COMPILE) pyproject.toml --group contract --constraints requirements-dev.txt \
		--output-file requirements/contract.txt
	@$(COMPILE) pyproject.toml --group fuzz --constraints requirements-dev.txt \
		--output-file requirements/fuzz.txt
	@$(COMPILE) --group audit --output-file requirements/audit.txt
	@$(COMPILE) --group rehearsal --output-file requirements/rehearsal.txt
	@$(COMPILE) pyproject.toml --group bench $(LOCKED) --output-file requirements/bench.txt

##@ Break it
fuzz: .venv/fuzz/.installed  ## Fuzz the functions for five minutes (ARGS="--runs 1000000", "--replay FILE")
	@$(BIN)/python -m load.fuzz --python .venv/fuzz/bin/python $(ARGS)

sqlmap: .venv/fuzz/.installed  ## Look for SQL injection in every parameter, by sqlmap
	@$(BIN)/python -m load.fuzz.injection --sqlmap .venv/fuzz/bin/sqlmap $(ARGS)

chaos: $(INSTALLED)  ## Kill the database and the API under load for ten minutes, and look for lost writes
	@$(BIN)/python -m load.chaos $(ARGS)

simulate: $(INSTALLED)  ## Simulate 10 to 100,000 requests a second: docs/scaling.md (MEASURE=1 measures first)
	@$(if $(MEASURE),$(BIN)/python -m load.simulation.measuring)
	@$(BIN)/python -m load.simulation $(ARGS)

load: $(INSTALLED)  ## Send load, with marks to hold, to a stack of its own or to BASE_URL (TOKEN=...)
	@$(BIN)/python -m load.traffic $(ARGS)

soak: $(INSTALLED)  ## Send steady load for an hour, and see whether anything grows (ARGS="--minutes 5")
	@$(BIN)/python -m load.traffic.soak $(ARGS)

##@ Deploy it
provision: $(INSTALLED)  ## Make or change a stage's network, database and operations (STAGE=dev)
bind: $(INSTALLED)  ## Write a stage's addresses where `chalice deploy` reads them
migrate-stage: $(INSTALLED)  ## Make a stage's database users, and bring its schema up to date
package: $(INSTALLED)  ## Build what is deployed into out/
deploy: $(INSTALLED)  ## Package, upload, and change the API's stack
apply: $(INSTALLED)  ## Put the gateway's settings onto what `chalice deploy` made
smoke: $(INSTALLED)  ## Live a customer's life against a stage (TOKEN=...)
status: $(INSTALLED)  ## Tell how a stage's stacks are, and what is live
rollback: $(INSTALLED)  ## Make the version before live again
destroy: $(INSTALLED)  ## Delete a stage; a snapshot of its database stays
provision bind migrate-stage package deploy apply smoke status rollback destroy:
	@$(BIN)/python -m infrastructure $(@:-stage=) --stage $(or $(STAGE),$(error Say which: STAGE=dev)) $(ARGS)

costs: $(INSTALLED)  ## Compute the tables of docs/costs.md anew
	@$(BIN)/python -m infrastructure.costs

##@ About
help:  ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): requirements-dev.txt
	@$(PYTHON) local/bootstrap.py
	@touch $@

$(CONTRACT): requirements/contract.txt $(INSTALLED)
	@$(BIN)/$(INSTALL) $<
	@touch $@

# Environments of their own: each wants versions, or has packages, that nothing else may see.
.venv/%/.installed: requirements/%.txt $(INSTALLED)
	@python=$$($(CREATOR)) && "$$python" -m venv --clear .venv/$*
	@.venv/$*/bin/$(INSTALL) $<
	@touch $@

# The emulated AWS runs functions with its own interpreter, so that is the functions'.
.venv/rehearsal/.installed: infrastructure/stages.py
.venv/rehearsal/.installed: CREATOR := $(BIN)/python -m infrastructure.interpreters

.DEFAULT_GOAL := help
.PHONY: run stack seed migrate token reset test quick test-all contract rehearse audit bench budget check format openapi lock \
	chaos fuzz sqlmap simulate load soak provision bind migrate-stage package deploy apply smoke status rollback destroy costs help
