# Everything sets itself up: the virtual environment here, Java, Maven and Kafka's jars by the lab.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: test lint unit laws e2e demo bench fuzz sim lock clean help

help: ## What can be made
	@grep -hE '^[a-z0-9]+:.*##' Makefile | sed 's/:.*## /\t/'

test: lint unit ## Lint, types, and all tests but the slow stories on a real cluster

lint: ## ruff and mypy
	@V=$$(tools/venv); $$V/bin/ruff check . && $$V/bin/ruff format --check . && $$V/bin/mypy

unit: ## The tests that need no cluster
	@V=$$(tools/venv); tools/chromium; P=$$(tools/prometheus) && PATH=$$P:$$PATH; $$V/bin/python -m pytest -n 2 -m 'not e2e'

laws: ## The laws over examples that no run has tried before; EXAMPLES=2000 of each law that takes the number
	@V=$$(tools/venv); OTTLA_EXAMPLES=$(or $(EXAMPLES),100) OTTLA_LOG_EXAMPLES=$(or $(EXAMPLES),500) \
	    $$V/bin/python -m pytest -n 2 -m 'not e2e' --hypothesis-profile=patient -k law

e2e: ## The stories on a real Kafka cluster (fetches Kafka's jars the first time)
	@V=$$(tools/venv); $$V/bin/python -m pytest -m e2e

demo: ## A real cluster is started, broken and healed, on this machine, in under three minutes
	@V=$$(tools/venv); $$V/bin/ottla demo $(ARGS)

bench: ## The figures of the README, measured here; BENCH="commands backtest" for some of them
	@V=$$(tools/venv); $$V/bin/python -m tests.bench $(BENCH)

SECONDS ?= 600
fuzz: ## Damaged expressions, rule files, YAML, templates, logs and answers by HTTP, for SECONDS (600); SEED=…: a run again
	@V=$$(tools/venv); $$V/bin/python -m tests.fuzz.until_time_is_up $(SECONDS) $(SEED)

SCHEDULES ?= 1000
sim: ## The control topic in SCHEDULES simulated worlds from SEED on; SEED=… TRACE=1: the trace of one; MUTANTS=1: the table
	@V=$$(tools/venv); PYTHONPATH=tests $$V/bin/python -m simulation$(if $(MUTANTS),.mutate --table, \
	    --seed $(or $(SEED),0) --schedules $(SCHEDULES) $(if $(TRACE),--trace))

lock: ## Pin every dependency again, with hashes
	@V=$$(tools/venv); $$V/bin/pip-compile --quiet --extra dev --generate-hashes --strip-extras --allow-unsafe \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header -o requirements.lock pyproject.toml

clean: ## Remove what was set up
	@rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
