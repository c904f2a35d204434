# Every target works in a fresh clone on a machine that has Python 3.11+ with pip, git and make:
# uv comes from PyPI into .cache/uv, the locked dependencies into .venv.  `make help` lists the targets.

UV_VERSION := 0.13.9

# The first Python >= 3.11 with pip on PATH, as the real interpreter: not a pyenv shim, not an active virtual environment.
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	found=$$("$$name" -c 'import sys; assert sys.version_info >= (3, 11); print(sys._base_executable)' 2>/dev/null) && \
	"$$found" -c 'import pip' 2>/dev/null && echo "$$found" && break; done)
endif

UV := $(CURDIR)/.cache/uv/bin/uv
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
export UV_PYTHON_DOWNLOADS := never
# What the caller's shell sets for its own Python is not for ours.
unexport VIRTUAL_ENV UV_PYTHON PYTHONPATH PYTHONHOME PYTHONUNBUFFERED

BIN := .venv/bin
NOX := $(BIN)/nox --reuse-existing-virtualenvs
PYTEST := $(BIN)/python -m pytest
MARKED := e2e or bench

.DEFAULT_GOAL := help
.PHONY: coverage help demo install test test-quick test-matrix test-versions e2e backends bench lint format typecheck build lock system-deps clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.demo  ## start the local backend and a real service, drive traffic, show what arrived (ARGS=--exit ends after the table)
	@$(BIN)/aumos-otel demo $(ARGS)

install: .venv/.dev  ## create .venv with everything that development needs

test: lint  ## the checks before each commit: lint, then every test that needs no browser, with coverage
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n auto -m "not ($(MARKED))"
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --format=total | sed 's/.*/coverage: &% of lines and branches (make coverage lists what is missing)/'

coverage:  ## list the lines and branches that the last `make test` did not reach
	@$(BIN)/coverage report

test-quick: .venv/.dev  ## stop at the first failing test, last failures first; ARGS="tests/llm" narrows it
	$(PYTEST) -n auto -m "not ($(MARKED))" --exitfirst --failed-first $(ARGS)

test-matrix: .venv/.dev  ## the built wheel on the newest Python and without extras, and the SDK project's own tests with our providers
	$(NOX) -s tests-3.13 tests-minimal wheel upstream

test-versions: .venv/.dev  ## once a change of weight: the other Python, the oldest and the newest dependencies
	$(NOX) -s tests-3.12 tests-lowest sdk-latest

e2e: .venv/.dev  ## real servers and a real browser
	$(PYTEST) -m e2e -n auto --dist loadfile $(ARGS)

backends: .venv/.dev  ## build the servers that e2e needs now, not when a test first needs one
	@cd tests && $(CURDIR)/$(BIN)/python -m servers.backends

bench: .venv/.dev  ## what telemetry costs beside the bare SDK, line by line; ARGS="--quick", "--only span llm", "--against FILE"
	$(NOX) -s bench -- $(ARGS)

lint: .venv/.dev  ## ruff, mypy, import contracts, generated names, lock file
	@$(NOX) --tags lint

format: .venv/.dev  ## format the code and apply the safe fixes
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

typecheck: .venv/.dev  ## mypy --strict
	@$(NOX) -s types

build: .venv/.dev  ## sdist and wheel into dist/
	$(NOX) -s build

lock: $(UV)  ## bring uv.lock up to date with pyproject.toml
	$(UV) lock --python "$(PYTHON)"

system-deps:  ## install what PyPI does not have (chromium, for the browser tests)
	@if command -v chromium >/dev/null; then \
		echo "system-deps: a chromium is installed"; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
	else \
		echo "system-deps: no chromium found; install it (Debian: sudo apt-get install chromium, macOS: brew install --cask chromium)"; \
		echo "system-deps: only 'make e2e' needs it"; \
	fi

clean:  ## remove everything that the other targets made
	rm -rf .venv .cache .nox dist build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# --target needs no venv module and no ensurepip, which Debian packages apart.
$(UV):
	@test -n "$(PYTHON)" || { echo "no Python >= 3.11 with pip on PATH; install one (Debian: apt-get install python3-pip) or run: make PYTHON=/path/to/python3 ..." >&2; exit 2; }
	@echo "installing uv $(UV_VERSION) with $(PYTHON)"
	@"$(PYTHON)" -m pip install --quiet --disable-pip-version-check --no-input --upgrade --target .cache/uv "uv==$(UV_VERSION)"

.venv/.dev: uv.lock pyproject.toml | $(UV)
	$(UV) sync --frozen --all-extras --python "$(PYTHON)"
	@touch .venv/.dev .venv/.demo

.venv/.demo: uv.lock pyproject.toml | $(UV)
	$(UV) sync --frozen --no-default-groups --extra demo --inexact --python "$(PYTHON)"
	@touch .venv/.demo
