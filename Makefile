# Every command sets up .venv first: it finds a Python and installs a lock with hashes (.make/).
# A second run skips this.

PYTHON_IN_VENV := .venv/bin/python
RUNTIME := requirements.txt
DEVELOPMENT := requirements-dev.txt

.PHONY: help setup setup-dev demo run test check sdk-tests bench lock screenshots gallery clean

help:
	@echo "make demo     try it: pages, worker and an imitation of the API, no key needed"
	@echo "make run      pages and worker for a real key in ANTHROPIC_API_KEY"
	@echo "make test     every test"
	@echo "make check    lint, format, types, layers, migrations, deployment checks"
	@echo "make bench    the benchmarks"
	@echo "make setup    only the setup, with which the others begin"

setup:
	@.make/setup $(RUNTIME)

setup-dev:
	@.make/setup $(DEVELOPMENT)

demo: setup
	@exec $(PYTHON_IN_VENV) -m dashboard.launch.demo

run: setup
	@exec $(PYTHON_IN_VENV) manage.py run

# On SQLite, then the tests that use the database again on PostgreSQL. ARGS="-k cancel" selects some.
test: setup-dev
	@.make/test $(ARGS)

check: setup-dev
	@.make/check

# For maintainers: runs the official SDK's own batch tests, which it downloads, against the sandbox.
sdk-tests: setup-dev
	@.make/sdk-tests

bench: setup-dev
	@exec $(PYTHON_IN_VENV) -m tests.bench

# For maintainers, after a change in pyproject.toml. ARGS=--upgrade takes the newest versions.
lock:
	@.make/lock $(ARGS)

# For maintainers: takes the README's pictures from the demo.
screenshots: setup-dev
	@exec $(PYTHON_IN_VENV) -m docs.screenshots

# Takes a picture of every page in every state, to look at. ARGS="-k spend" selects some.
gallery: setup-dev
	@exec $(PYTHON_IN_VENV) -m pytest tests/browser/gallery.py -n 2 -q --tb short --show-capture no -rP $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
