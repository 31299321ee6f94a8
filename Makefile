# Two commands do all the set-up: `make demo` and `make test`. Without make, the lines below can
# be typed as they stand.

PYTHON ?= python3

.PHONY: demo forms engines studies test lint schema

demo: .venv/demo
	cd examples/demo && ../../.venv/bin/pytest --llmbench

# The demo model as GGUF and MLX, then one session over every engine.
forms: .venv/ready
	.venv/bin/python examples/demo_model/forms.py

engines: forms
	cd examples/every_engine && ../../.venv/bin/pytest --llmbench

# The stand-ins of the five studies; their reports go into examples/*/report/.
studies: .venv/ready
	.venv/bin/python examples/studies.py

test: .venv/ready
	.venv/bin/pytest

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

schema: .venv/ready
	.venv/bin/llmbench schema config > docs/schema/config.schema.json
	.venv/bin/llmbench schema results > docs/schema/results.schema.json

# Everything: all engines, tests, lint, types. Compiles llama.cpp, which takes minutes, once.
.venv/ready: pyproject.toml requirements-dev.txt constraints.txt | .venv/bin/pip
	.venv/bin/pip install --quiet -r requirements-dev.txt
	touch .venv/ready .venv/demo

# What the demo needs: one engine.
.venv/demo: pyproject.toml constraints.txt | .venv/bin/pip
	.venv/bin/pip install --quiet -c constraints.txt -e '.[transformers]'
	touch .venv/demo

.venv/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; type: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
