# `make demo` and `make test` do all set-up on a fresh Debian 12 machine.
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test quick lint services bench clean

$(VENV)/.ready: setup.cfg pyproject.toml requirements.lock
	.ci/python
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: $(VENV)/.ready ## simulated platforms, drained, published, consumed, verified; no service needed
	$(BIN)/gateway demo

services: ## RabbitMQ, PostgreSQL and MariaDB from Debian's packages
	.ci/services

lint: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

quick: $(VENV)/.ready ## tests that start no service
	$(BIN)/pytest -m "not services"

test: services lint ## everything, with coverage
	.ci/test $(BIN)

bench: services $(VENV)/.ready
	$(BIN)/gateway bench

clean:
	rm -rf $(VENV) build dist .coverage* .mypy_cache .ruff_cache .pytest_cache
