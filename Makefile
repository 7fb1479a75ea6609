# Every command of the series. `make` alone lists them.
#
#   PYTHON=python3.12   the Python that builds .venv (default: the first suitable one found)
#   TORCH=cpu           PyTorch without CUDA, for Linux without an NVIDIA card (TORCH=default goes back); remembered
#   VERSIONS=newest     the newest versions of all packages instead of those of constraints.txt (VERSIONS=pinned goes back)
#   LESSON=occlusion    one lesson instead of all, for notebooks, slides and fresh
#   TO=/media/usb/cnn   the folder that stick writes
#   FLAGS=--no-browser  further options, for lab and slides (JupyterLab's) and for stick (FLAGS=--help lists them)

.DEFAULT_GOAL := help
SHELL := /bin/sh

PY := .venv/bin/python
CANDIDATES := python3.13 python3.12 python3.11 python3 python
FIRST := $(wildcard notebooks/*_start_here.ipynb)
# One thread per process: the workers share the cores, and the numbers do not depend on how many there are.
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest --durations=10
# Says so and carries on when the data cannot be fetched: every lesson also runs on the offline stand-in.
FETCH := $(PY) -m helpers.data

.PHONY: help setup lab test test-browser nightly notebooks data checkpoints fresh update slides site stick bench lint constraints clean

help:
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

# Takes the first candidate that is new enough and has venv; else tools/setup.py says, in its words, what the best one lacks.
setup:
	@best=; rank=0; for python in $(if $(PYTHON),"$(PYTHON)",$(CANDIDATES)); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && new=1 || new=0; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null && complete=1 || complete=0; \
	  "$$python" -c '' 2>/dev/null && runs=1 || runs=0; \
	  score=$$((runs + 2 * new + new * complete)); \
	  if [ $$score -gt $$rank ]; then best="$$python"; rank=$$score; fi; \
	  if [ $$score -eq 4 ]; then break; fi; \
	done; \
	if [ -n "$$best" ]; then exec "$$best" tools/setup.py --torch "$(TORCH)" --versions "$(VERSIONS)"; fi; \
	echo "No Python was found$(if $(PYTHON), at $(PYTHON)): install Python 3.11 or newer, or name one with PYTHON=/path/to/python3." >&2; exit 1

# Some people's PYTHONPATH leads to another package called helpers.
lab slides: export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

lab: setup ## set up, fetch the data, open JupyterLab on the first notebook
	@$(FETCH)
	@$(PY) -m jupyterlab $(FIRST) $(FLAGS)

test: setup ## set up, then everything that must hold: helpers, project and lessons, every notebook run
	@$(FETCH)
	$(PYTEST) -n 2 --ignore tests/project --ignore tests/lessons --ignore tests/browser tests
	$(PYTEST) -n 2 tests/project tests/lessons
	@if ls notebooks/*.ipynb >/dev/null 2>&1; then set -x; \
	  $(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder -p tools.nbval_real_data --nbval-lax --nbval-current-env --nbval-cell-timeout=300 notebooks/; \
	else echo "There are no notebooks to run yet."; fi

test-browser: setup ## the lessons in a real JupyterLab, driven through headless Chromium
	@$(FETCH)
	$(PYTEST) -n 2 --dist worksteal -m browser tests/browser

nightly: setup ## what takes hours: each exercise 200 times on fresh cases, and every small error in its solution
	@$(FETCH)
	EXERCISE_RUNS=200 $(PYTEST) -n 2 tests/lessons/test_exercises.py
	$(PY) -m tools.mutants

notebooks: setup ## run the lessons and store their outputs (LESSON=occlusion for one)
	@$(PY) -m tools.notebooks run $(LESSON)
	@$(PY) -m tools.pictures

data: setup ## fetch MNIST, FashionMNIST and the network for photographs ahead of a class
	@$(PY) -m helpers.data --strict

checkpoints: setup ## train the reference networks again
	@$(PY) -m tools.checkpoints

fresh: setup ## a lesson as it was handed out (LESSON=occlusion); yours is kept in notebooks/mine
	@$(PY) -m tools.fresh lesson "$(LESSON)"

update: setup ## the newest version of the series; notebooks you changed are kept in notebooks/mine
	@$(PY) -m tools.fresh update

slides: setup ## present a lesson as slides with a live kernel (LESSON=occlusion)
	@$(FETCH)
	@$(PY) -m tools.slides "$(LESSON)" $(FLAGS)

site: setup ## every lesson as a page to read, in site/
	@OMP_NUM_THREADS=1 $(PY) -m tools.pages

stick: setup ## for a room without internet: lessons, data, pages, packages, installer (TO=/media/usb/cnn)
	@test -n "$(TO)" || { echo "Where to? Say for example: make stick TO=/media/usb/cnn" >&2; exit 1; }
	@$(FETCH)
	@OMP_NUM_THREADS=1 $(PY) -m tools.pages
	@$(PY) -m tools.stick "$(TO)" $(FLAGS)

bench: setup ## every claim about speed, measured again
	@for script in benchmarks/*.py; do \
	  [ -e "$$script" ] || continue; echo "$$script"; $(PY) "$$script" || exit 1; done

lint: setup ## rules (notebooks included), format, types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

constraints: setup ## the newest versions of all packages into constraints.txt (PACKAGES="numpy torch" for some)
	@$(PY) -m tools.versions renew $(PACKAGES)

clean: ## remove caches, site/ and screenshots/ (keeps .venv and the data)
	rm -rf site screenshots build *.egg-info .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -print | while read -r folder; do rm -rf "$$folder"; done
