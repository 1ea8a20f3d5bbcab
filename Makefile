# All targets work as root and as an ordinary user, on Linux and macOS, without Docker.
# PYTHON=/path/to/python names the Python for .venv; else the newest suitable one is taken.

.POSIX:
.DEFAULT_GOAL := help
SHELL = /bin/sh
ARGS =
DATA =
DIR = .millrace
JOBS = 2
PY = .venv/bin/python

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-14s %s\n", $$1, $$2 }'

up: ## start everything here; ARGS="--port 9000 --workers 4" is passed on
	@sh setup-venv.sh run
	@exec $(PY) -m cli up $(ARGS)

test: ## run all tests that need no Docker, JOBS=2 at once; ARGS goes to pytest
	@sh setup-venv.sh dev
	@exec $(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

lint: ## formatting, lint, types, import rules
	@sh setup-venv.sh dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	@.venv/bin/lint-imports

bench: ## run the benchmarks that bring their own servers; those of bench/stack need a running one
	@sh setup-venv.sh dev
	@for script in bench/*.py; do \
		[ -e "$$script" ] || continue; \
		echo "== $$script"; \
		$(PY) "$$script" $(ARGS) || exit 1; \
	done

clean: ## remove .venv and caches; DATA=1: also the embedded servers' data (DIR=.millrace)
	@if [ -n "$(DATA)" ]; then \
		python=$(PY); [ -x "$$python" ] || python="$${PYTHON:-python3}"; \
		"$$python" -m cli.embedded.wipe "$(DIR)" || exit 1; \
	fi
	rm -rf .venv build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name .git -prune -o -name .millrace -prune -o -type d -name __pycache__ -print \
		| while IFS= read -r folder; do rm -rf "$$folder"; done

.PHONY: help up test lint bench clean
