# Every command sets itself up first: it finds a Python, makes .venv and installs a lock with
# hashes (.make/). What is already there is left alone.

PYTHON_IN_VENV := .venv/bin/python
RUNTIME := requirements.txt
DEVELOPMENT := requirements-dev.txt

.PHONY: help setup setup-dev demo run test check sdk-tests bench lock screenshots clean

help:
	@echo "make demo     try it: pages, worker and an imitation of the API"
	@echo "make run      the same for a real key in ANTHROPIC_API_KEY"
	@echo "make test     every test"
	@echo "make check    lint, format, types, layers, migrations, deployment checks"
	@echo "make bench    the benchmarks"
	@echo "make setup    only the setup that the others begin with"

setup:
	@.make/setup $(RUNTIME)

setup-dev:
	@.make/setup $(DEVELOPMENT)

demo: setup
	@exec $(PYTHON_IN_VENV) -m dashboard.launch.demo

run: setup
	@exec $(PYTHON_IN_VENV) manage.py run

# On SQLite, then what touches the database once more on PostgreSQL. ARGS="-k cancel" narrows it.
test: setup-dev
	@.make/test $(ARGS)

check: setup-dev
	@.make/check

# For maintainers: the official SDK's own batch tests against the sandbox. Fetches them.
sdk-tests: setup-dev
	@.make/sdk-tests

bench: setup-dev
	@exec $(PYTHON_IN_VENV) -m tests.bench

# For maintainers, after a change in pyproject.toml. ARGS=--upgrade takes the newest versions.
lock:
	@.make/lock $(ARGS)

# For maintainers: the README's pictures, taken from the demo.
screenshots: setup-dev
	@exec $(PYTHON_IN_VENV) -m docs.screenshots

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
