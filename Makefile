# The customers API. `make help` lists what there is.

BIN := .venv/bin
COUNT ?= 10000
# each has a MariaDB of its own, and is often waiting
WORKERS := --numprocesses 3 --dist worksteal
# Creates or repairs an environment; prints nothing if there is nothing to do.
SETUP = @$(or $(PYTHON),python3) local/bootstrap.py $(if $(PYTHON),--exact)
ENVIRONMENTS := $(addprefix .venv/,audit bench fuzz rehearsal)
COMPILE := .venv/audit/bin/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --upgrade
LOCKED := --constraints requirements.txt

seed migrate: export AWS_ENDPOINT_URL_RDS_DATA ?= http://127.0.0.1:$(or $(DATA_API_PORT),8001)

##@ Run it
run: setup  ## Start the API on 127.0.0.1:8000, with a real database (PORT=8010 for another port)
	@$(BIN)/python -m local run

stack: setup  ## Start everything except the API, for use with `chalice local`
	@$(BIN)/python -m local run --no-api

seed: setup  ## Load generated customers into the running stack (COUNT=10000)
	@$(BIN)/python -m local.seed --count $(COUNT)

migrate: setup  ## Apply pending migrations to the running stack
	@$(BIN)/python -m migrations

token: setup  ## Print a token for the running stack (SCOPE="customers:read"; default: all scopes)
	@$(BIN)/python -m local.issuer $(if $(SCOPE),--scope "$(SCOPE)")

reset: setup  ## Empty the local database (YES=1 skips confirmation)
	@$(BIN)/python -m local reset $(if $(YES),--yes)

##@ Work on it
setup:  ## Create or repair .venv with the development tools (PYTHON=python3.13 for another Python)
	$(SETUP) requirements-dev.txt .venv

test: setup  ## Run every test against the real database, with coverage
	@$(BIN)/pytest $(WORKERS) --cov --cov-report=term $(ARGS)

quick: setup  ## Run all tests that take less than five seconds
	@$(BIN)/pytest $(WORKERS) -m "not slow" $(ARGS)

contract: contract-tools .venv/audit .venv/fuzz  ## Run contract tests: fuzzing, faults, browser and a generated client
	@$(BIN)/pytest tests/breaking --capture=no $(ARGS)
	@$(BIN)/pytest tests/contract --numprocesses 2 --dist loadfile --durations 10 $(ARGS)

installation: setup  ## Install every lock file into fresh environments, and break environments
	@$(BIN)/pytest tests/installation $(WORKERS) -o faulthandler_timeout=600 $(ARGS)

audit: .venv/audit  ## Check the locked requirements for known vulnerabilities
	@for lock in requirements*.txt requirements/*.txt; do \
		echo $$lock; .venv/audit/bin/pip-audit --strict --disable-pip --requirement $$lock || exit; done

rehearse: .venv/rehearsal  ## Deploy staging into an emulated AWS, test, upgrade and roll back
	@$(BIN)/python -m tests.rehearsal .venv/rehearsal/bin/ministack

bench: .venv/bench  ## Compare the service with other frameworks, and update docs/performance
	@$(BIN)/python -m benchmarks --python .venv/bench/bin/python $(ARGS)

budget: setup  ## Check the service's costs against the budget (ARGS=--update sets it)
	@$(BIN)/python -m benchmarks.budget $(ARGS)

check: setup  ## Check lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup  ## Format the code, and apply lint fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

openapi: setup  ## Generate the OpenAPI document from schemas and routes
	@$(BIN)/python -m openapi

lock: .venv/audit  ## Update the lock files from pyproject.toml
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
fuzz: .venv/fuzz  ## Fuzz the functions for five minutes (ARGS="--runs 1000000", "--replay FILE")
	@$(BIN)/python -m load.fuzz --python .venv/fuzz/bin/python $(ARGS)

sqlmap: .venv/fuzz  ## Search every parameter for SQL injection, with sqlmap
	@$(BIN)/python -m load.fuzz.injection --sqlmap .venv/fuzz/bin/sqlmap $(ARGS)

chaos: setup  ## Kill the database and the API under load for ten minutes, and check for lost writes
	@$(BIN)/python -m load.chaos $(ARGS)

simulate: setup  ## Simulate 10 to 100,000 requests per second: docs/scaling.md (MEASURE=1 measures first)
	@$(if $(MEASURE),$(BIN)/python -m load.simulation.measuring)
	@$(BIN)/python -m load.simulation $(ARGS)

load: setup  ## Send load, with thresholds, to a private stack or to BASE_URL (TOKEN=...)
	@$(BIN)/python -m load.traffic $(ARGS)

soak: setup  ## Send steady load for an hour, and check for leaks (ARGS="--minutes 5")
	@$(BIN)/python -m load.traffic.soak $(ARGS)

##@ Deploy it
provision: setup  ## Create or update a stage's network, database and operations (STAGE=dev)
bind: setup  ## Write a stage's outputs to where `chalice deploy` reads them
migrate-stage: setup  ## Create a stage's database users, and apply pending migrations
package: setup  ## Build the package in out/
deploy: setup  ## Package, upload, and update the API's stack
apply: setup  ## Apply the gateway's settings to what `chalice deploy` created
smoke: setup  ## Run the smoke test against a stage (TOKEN=...)
status: setup  ## Print the state of a stage's stacks, and the live versions
rollback: setup  ## Roll back: make the previous version live
destroy: setup  ## Delete a stage; a final snapshot of its database remains
provision bind migrate-stage package deploy apply smoke status rollback destroy:
	@$(BIN)/python -m infrastructure $(@:-stage=) --stage $(or $(STAGE),$(error Say which: STAGE=dev)) $(ARGS)

costs: setup  ## Update the tables of docs/costs.md
	@$(BIN)/python -m infrastructure.costs

##@ About
help:  ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

contract-tools: setup
	$(SETUP) requirements/contract.txt .venv

# Environments of their own: each needs versions, or has packages, that nothing else may see.
$(ENVIRONMENTS): .venv/%: setup
	$(SETUP) requirements/$*.txt $@

.DEFAULT_GOAL := help
.PHONY: $(ENVIRONMENTS) contract-tools setup installation run stack seed migrate token reset test quick contract rehearse audit bench budget check format openapi lock \
	chaos fuzz sqlmap simulate load soak provision bind migrate-stage package deploy apply smoke status rollback destroy costs help
