# The customers API. `make help` lists what there is.

# If the version in .python-version is not installed, pyenv's python3 fails or is the system's Python. In
# another folder, pyenv's python3 is the user's global version.
NAME_PYTHON := python3 -c 'import shlex, sys; sys.version_info < (3, 11) and sys.exit(1); \
	print(shlex.quote(sys.executable))' 2>/dev/null
PYTHON ?= $(shell $(NAME_PYTHON) || (cd / && $(NAME_PYTHON)) || echo python3)
BIN := .venv/bin
COUNT ?= 10000
# each has its own database server, and is often waiting
WORKERS := --numprocesses 3 --dist worksteal
# Creates or repairs an environment; prints nothing if there is nothing to do. A PYTHON that the user names
# replaces an environment of another version.
SETUP = @$(PYTHON) local/bootstrap.py $(EXACT)
EXACT := $(if $(filter command environment,$(origin PYTHON)),--exact)
ENVIRONMENTS := $(addprefix .venv/,alternatives audit bench docs fuzz rehearsal)
# Lock files must install on every supported Python. By default, uv omits releases that only Python versions
# older than .venv's need.
OLDEST := 3.11
COMPILE := .venv/audit/bin/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --upgrade \
	--python-version $(OLDEST)
LOCKED := --constraints requirements.txt

# Without bytecode, each of the tests' processes compiles everything again, which takes 40% longer.
test quick test-all contract: export PYTHONDONTWRITEBYTECODE :=

seed migrate: export AWS_ENDPOINT_URL_RDS_DATA ?= http://127.0.0.1:$(or $(DATA_API_PORT),$(shell expr $(or $(PORT),8000) + 1))

##@ Run it
run: setup  ## Start the API on 127.0.0.1:8000, with a real database (PORT=8010 moves all ports, ENGINE=mysql)
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

clean:  ## Remove environments, caches and outputs (DATA=1: the local stack's data and MySQL, too)
	@$(PYTHON) -B -m local.clean $(if $(DATA),--data)

##@ Work on it
setup:  ## Create or repair .venv with the development tools (PYTHON=python3.13 for another Python)
	$(SETUP) requirements-dev.txt .venv

test: setup  ## Run the tests against the real database (ENGINE=mysql; ARGS="-m ''" adds the exhaustive ones)
	@$(BIN)/python -m pytest $(WORKERS) -m "not exhaustive" $(ARGS)

quick: setup  ## Run all tests that take less than five seconds
	@$(BIN)/python -m pytest $(WORKERS) -m "not slow and not exhaustive" $(ARGS)

test-all: setup  ## Run all tests, with the exhaustive ones, on every supported Python that this machine has
	@$(BIN)/python -m tests.every_python $(WORKERS) $(ARGS)

contract: contract-tools .venv/audit .venv/fuzz  ## Run contract tests: fuzzing, faults, browser and a generated client
	@$(BIN)/python -m pytest tests/breaking --capture=no $(ARGS)
	@$(BIN)/python -m pytest tests/contract --numprocesses 2 --dist loadfile --durations 10 \
		-o faulthandler_timeout=600 -m "not exhaustive" $(ARGS)

installation: setup  ## Install every lock file into fresh environments, and break environments
	@$(BIN)/python -m pytest tests/installation $(WORKERS) -o faulthandler_timeout=600 \
		-m "not exhaustive" $(ARGS)

audit: .venv/audit  ## Check the locked requirements for known vulnerabilities
	@for lock in requirements*.txt requirements/*.txt; do \
		echo $$lock; .venv/audit/bin/python -m pip_audit --strict --disable-pip --requirement $$lock || exit; done

rehearse: .venv/rehearsal  ## Deploy staging into an emulated AWS: test, upgrade, roll back, rotate, restore
	@$(BIN)/python -m tests.rehearsal .venv/rehearsal/bin/python

bench: .venv/bench  ## Compare the service with other frameworks, and update docs/performance
	@$(BIN)/python -m benchmarks --python .venv/bench/bin/python $(ARGS)

compare: .venv/alternatives  ## Compare `python -m serve` with common alternatives, over HTTP (needs wrk)
	@$(BIN)/python -m benchmarks.serving --python .venv/alternatives/bin/python $(ARGS)

budget: setup  ## Check the service's costs against the budget (ARGS=--update sets it)
	@$(BIN)/python -m benchmarks.budget $(ARGS)

check: setup  ## Check lint, format, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -c 'import importlinter.cli; importlinter.cli.lint_imports_command()' --no-cache --no-logo

format: setup  ## Format the code, apply lint fixes, and report the remaining findings
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .
	@$(BIN)/ruff check .

docs: .venv/docs  ## Build the documentation site into out/site (ARGS=serve previews it on 127.0.0.1:8020)
	@NO_MKDOCS_2_WARNING=1 .venv/docs/bin/python -m mkdocs $(or $(ARGS),build --strict) --config-file docs/site/mkdocs.yml

screenshots: contract-tools  ## Take the screenshots of the console in docs/images again
	@SCREENSHOTS=1 $(BIN)/python -m pytest tests/contract/test_pages.py tests/contract/test_console.py tests/contract/test_requests_page.py -k dark

diagrams:  ## Draw docs/diagrams/*.svg from their text sources (needs Graphviz)
	@python3 docs/site/diagrams.py

openapi: setup  ## Generate the OpenAPI document from schemas and routes
	@$(BIN)/python -m openapi

client: contract-tools  ## Generate the Python client's models and operations from the OpenAPI document
	@$(BIN)/python -m openapi.client

lock: .venv/audit  ## Update the lock files from pyproject.toml
	@$(COMPILE) pyproject.toml --output-file requirements.txt
	@$(COMPILE) --group authorizer $(LOCKED) --output-file requirements/authorizer.txt
	@$(COMPILE) --group tracing --no-deps $(LOCKED) --output-file requirements/tracing.txt
	@$(COMPILE) pyproject.toml --group contract $(LOCKED) --output-file requirements/contract.txt
	@$(COMPILE) pyproject.toml --group dev --constraints requirements/contract.txt \
		--output-file requirements-dev.txt
	@$(COMPILE) pyproject.toml --group serve --constraints requirements-dev.txt \
		--output-file requirements/serve.txt
	@$(COMPILE) pyproject.toml --group deploy --constraints requirements-dev.txt \
		--output-file requirements/deploy.txt
	@$(COMPILE) pyproject.toml --group fuzz --constraints requirements-dev.txt \
		--output-file requirements/fuzz.txt
	@$(COMPILE) --group audit --output-file requirements/audit.txt
	@$(COMPILE) --group docs --output-file requirements/docs.txt
	@$(COMPILE) --group rehearsal --output-file requirements/rehearsal.txt
	@$(COMPILE) --group alternatives --output-file requirements/alternatives.txt
	@$(COMPILE) pyproject.toml --group bench $(LOCKED) --output-file requirements/bench.txt

##@ Break it
fuzz: .venv/fuzz  ## Fuzz the functions for five minutes (ARGS="--runs 1000000", "--replay FILE")
	@$(BIN)/python -m load.fuzz --python .venv/fuzz/bin/python $(ARGS)

sqlmap: .venv/fuzz  ## Search every parameter for SQL injection, with sqlmap
	@$(BIN)/python -m load.fuzz.injection --python .venv/fuzz/bin/python $(ARGS)

chaos: setup  ## Kill the database and the API under load for ten minutes, and check for lost writes
	@$(BIN)/python -m load.chaos $(ARGS)

simulate: setup  ## Simulate 10 to 100,000 requests per second: docs/scaling.md (MEASURE=1 measures first)
	@$(if $(MEASURE),$(BIN)/python -m load.simulation.measuring)
	@$(BIN)/python -m load.simulation $(ARGS)

load: setup  ## Send load, with thresholds, to a private stack or to BASE_URL (TOKEN=...)
	@$(BIN)/python -m load.traffic $(ARGS)

mutants: setup  ## Break changed lines in small ways; tests must notice (ARGS=--all, ARGS="--since COMMIT")
	@$(BIN)/python -m tests.mutation $(ARGS)

soak: setup  ## Send steady load for an hour, and check for leaks (ARGS="--minutes 5")
	@$(BIN)/python -m load.traffic.soak $(ARGS)

##@ Deploy it
preflight: setup  ## Check a stage's prerequisites in AWS and at the issuer; changes nothing
provision: setup  ## Create or update a stage's network, database and operations (STAGE=dev)
bind: setup  ## Write a stage's outputs to where `chalice deploy` reads them
migrate-stage: setup  ## Create a stage's database users, and apply pending migrations
rotate: setup  ## Change the application's database password, without an outage
finish: setup  ## Complete the data steps of migrations, when only the new code is running
package: setup  ## Build the package in out/
sbom: package .venv/audit  ## Build the package, and list its third-party code in out/ (CycloneDX)
	@.venv/audit/bin/python -m infrastructure.sbom out/$(STAGE)

deploy: setup  ## Package, upload, and update the API's stack
apply: setup  ## Apply the gateway's settings to what `chalice deploy` created
smoke: setup  ## Run the smoke test against a stage (TOKEN=...)
admit: setup  ## Admit a caller to a stage that limits each caller (ARGS="--caller SUBJECT")
block: setup  ## Block a caller of a stage that limits each caller (ARGS="--caller SUBJECT")
status: setup  ## Print the state of a stage's stacks, and the live versions
rollback: setup  ## Roll back: make the previous version live
restore: setup  ## Restore a stage's database, then switch to it (ARGS="--to TIME", "--switch", "--back")
destroy: setup  ## Delete a stage; a final snapshot of its database remains
preflight provision bind migrate-stage rotate finish package deploy apply smoke admit block \
status rollback restore destroy:
	@$(BIN)/python -m infrastructure $(patsubst preflight,check,$(@:-stage=)) --stage $(or $(STAGE),$(error Say which: STAGE=dev)) $(ARGS)

costs: setup  ## Update the tables of docs/costs.md
	@$(BIN)/python -m infrastructure.costs

stages: setup  ## Update the files that list the stages of infrastructure/stages.py
	@$(BIN)/python -m infrastructure.stage_files
	@$(BIN)/python -m infrastructure.costs

##@ About
help:  ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

contract-tools: setup
	$(SETUP) requirements/contract.txt .venv

# Separate environments: each needs versions, or has packages, that nothing else may see.
$(ENVIRONMENTS): .venv/%: setup
	$(SETUP) requirements/$*.txt $@

# The emulated AWS runs the functions with its own interpreter.
.venv/rehearsal: private override PYTHON = $(shell $(BIN)/python -m infrastructure.interpreters)
.venv/rehearsal: private EXACT := --exact

.DEFAULT_GOAL := help
.PHONY: $(ENVIRONMENTS) contract-tools setup installation run stack seed migrate token reset clean test quick \
	test-all contract rehearse audit bench compare budget check docs diagrams screenshots format openapi client lock chaos fuzz \
	sqlmap simulate load soak mutants preflight provision bind migrate-stage rotate finish package sbom deploy apply \
	smoke admit block status rollback restore destroy costs stages help
