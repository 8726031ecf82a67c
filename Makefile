# make app    sets everything up and opens the app in the browser
# make test   runs all tests (those in the browser need Chromium)

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin/python
PORT ?= 8501

.PHONY: app test lint audit format benchmark screenshots setup setup-dev clean

app: setup
	@$(RUN) app.py --port $(PORT)

test: setup-dev
	@$(RUN) -m pytest

lint: setup-dev
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy

audit: setup-dev
	@$(RUN) .ci/audit.py

format: setup-dev
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

benchmark: setup-dev
	@$(RUN) -m moodmesh benchmark

setup: $(VENV)/.app
setup-dev: $(VENV)/.dev

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "moodmesh needs Python 3.11 or newer: sudo apt-get install python3 python3-venv"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "moodmesh needs Python 3.11 or newer, $(PYTHON) is older. Name another: make app PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "Python cannot make virtual environments yet: sudo apt-get install python3-venv"; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements.txt constraints.txt | $(VENV)/bin/python
	@echo "Installing what moodmesh needs (about 2 GB, a few minutes, once) ..."
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt constraints.txt | $(VENV)/bin/python
	@echo "Installing what moodmesh and its tests need (about 2 GB, a few minutes, once) ..."
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.app

clean:
	rm -rf $(VENV) artefacts .pytest_cache .mypy_cache .ruff_cache

screenshots: setup-dev
	@$(RUN) -m pytest -q tests/test_app_browser.py
	@cp artefacts/listen-desktop.png docs/listen.png
