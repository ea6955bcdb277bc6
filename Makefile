# Needs make, a POSIX shell and Python 3.11 or newer.  The logic is in tools/.
#
#   PYTHONS="/path/a /path/b"   use these interpreters instead of those found
#   PYTEST_ARGS="-k prompt"     passed on to pytest
#   BENCH="lateness wakeups"    some of the benchmarks; BENCH_ARGS="--rounds 3", SOAK_ARGS="--short"
#   GUI=1                       also install the GUI toolkits that PyPI has, and test with them

# Evaluated only where it is used.  Each candidate is run: a pyenv shim may exist and yet fail.
PYTHON = $(or $(shell for python in $(PYTHONS) python3 python3.13 python3.12 python3.11 \
	"$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.1[1-9]*/bin/python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done),$(error Python 3.11 or newer was not found))

.PHONY: help demo test lint docs storm bench soak clean

help:
	@echo 'make demo   an async server with a live prompt, in this terminal'
	@echo 'make test   lint, types and tests on every supported Python found'
	@echo 'make lint   ruff and mypy only'
	@echo 'make docs   the documents as web pages, in build/docs'
	@echo 'make storm  Ctrl-C at random moments; STORM="--seed 7 --rounds 0" as you like'
	@echo 'make bench  how fast, against IPython and ptpython: a table, JSON and plots'
	@echo 'make soak   the same thing very often: what leaks?'
	@echo 'make clean  remove the virtual environments and caches'

demo:
	@$(PYTHON) -m tools.demo

test:
	@$(PYTHON) -m tools.check

lint:
	@$(PYTHON) -m tools.check --lint

docs:
	@$(PYTHON) -m tools.docs

storm:
	@$(PYTHON) -m tools.storm $(STORM)

bench:
	@BENCH="$(BENCH)" BENCH_ARGS="$(BENCH_ARGS)" $(PYTHON) -m tools.bench

soak:
	@SOAK_ARGS="$(SOAK_ARGS)" $(PYTHON) -m tools.bench soak

clean:
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache build dist
