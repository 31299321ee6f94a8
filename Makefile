# Two commands do all the set-up: `make demo` and `make test`. Without make, the lines below can
# be typed as they stand.

PYTHON ?= python3

.PHONY: demo test lint schema

demo: .venv/ready
	cd examples/demo && ../../.venv/bin/pytest --llmbench

test: .venv/ready
	.venv/bin/pytest

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

schema: .venv/ready
	.venv/bin/llmbench schema config > docs/schema/config.schema.json
	.venv/bin/llmbench schema results > docs/schema/results.schema.json

.venv/ready: pyproject.toml requirements-dev.txt constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; type: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet -r requirements-dev.txt
	touch .venv/ready
