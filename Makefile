# Two commands to know: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# PPOTrainer left TRL after 1.12.0, so its runs are trained in an environment of their own.
PPO_VENV := .venv-ppo
PPO_INSTALLED := $(PPO_VENV)/.installed

# On models this small a second thread only waits for the first.
export OMP_NUM_THREADS := 1

.PHONY: help demo test test-ppo test-slow trainers-page crashes-page browser bench mutation zoo ppo-environment scorecard docs lint types format install clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(INSTALLED)  ## Diagnose a broken DPO run, leave a healthy one alone (about a minute)
	$(BIN)/python demo/scripts/minimal_dpo_demo.py

# A file stays with one worker, whose fixtures train its models once.
test: lint types $(INSTALLED)  ## Everything that must pass: lint, types, tests
	$(BIN)/pytest --numprocesses 2 --dist loadfile

test-ppo: $(PPO_INSTALLED)  ## The tests of PPO, with TRL 1.12.0 in .venv-ppo
	$(PPO_VENV)/bin/pytest tests/trainers/test_trainer_matrix.py

test-slow: $(INSTALLED) browser  ## The same checks with full counts: 20,000 hostile files, 10,000 streams, 200 kills (an hour)
	PTT_FUZZ_FILES=20000 PTT_STREAMS=10000 PTT_KILLS=200 PTT_SLOW=1 $(BIN)/pytest tests/rules tests/engine tests/crashes tests/behaviour tests/agents

# The tests of the report as a page need it, and are skipped without it.
browser:  ## Install Chromium for the tests of the report (Debian and its like, as root)
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
	  { apt-get update --quiet=2 && apt-get install --quiet=2 --yes chromium chromium-driver; } || \
	  echo "no Chromium could be installed: the tests of the report's page will be skipped"

bench: $(INSTALLED)  ## What engine and callback cost, as ratios; fails when a target is missed (ten minutes)
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/callback.py
	$(BIN)/python benchmarks/snapshots.py
	$(BIN)/python benchmarks/agents.py

mutation: $(INSTALLED)  ## Whether the rule tests notice every part of every shipped rule
	$(BIN)/python benchmarks/mutation_score.py

zoo: $(INSTALLED) $(PPO_INSTALLED)  ## Record the labelled runs of benchmarks/zoo anew (an hour)
	$(BIN)/python benchmarks/zoo/record.py
	$(PPO_VENV)/bin/python benchmarks/zoo/record.py

# PTT_ZOO may name a folder with a second set of runs. rlwatch and training-doctor take part where
# they are installed: $(BIN)/pip install rlwatch training-doctor
scorecard: $(INSTALLED)  ## Measure the rules on labelled runs, naive rules and other tools beside them
	$(BIN)/python -m benchmarks.scorecard
	$(BIN)/ptt-rules docs --output docs

trainers-page: $(INSTALLED) $(PPO_INSTALLED)  ## Write the table of docs/trainers.md anew from runs of every trainer
	PTT_WRITE_PAGES=1 $(BIN)/pytest --quiet tests/trainers/test_trainer_matrix.py
	PTT_WRITE_PAGES=1 $(PPO_VENV)/bin/pytest --quiet tests/trainers/test_trainer_matrix.py

crashes-page: $(INSTALLED)  ## Write the table of docs/crashes.md anew from runs that are really killed
	PTT_WRITE_PAGES=1 $(BIN)/pytest --quiet tests/crashes/test_deaths.py

docs: $(INSTALLED)  ## Write the pages that come from rules and schemas
	$(BIN)/ptt-rules docs --output docs

lint: $(INSTALLED)  ## Style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)  ## mypy, strict
	$(BIN)/mypy

format: $(INSTALLED)  ## Format the code and sort the imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(INSTALLED)  ## Create .venv with the tested versions

clean:  ## Remove the environment and everything that was generated
	rm -rf $(VENV) $(PPO_VENV) build *.egg-info demo/outputs .mypy_cache .pytest_cache .ruff_cache

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; name one with: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[agents,inspect,ray,trl,dev]"
	@touch $@

ppo-environment: $(PPO_INSTALLED)  ## Create .venv-ppo with TRL 1.12.0, the last release with PPOTrainer

$(PPO_INSTALLED): pyproject.toml constraints-ppo.txt
	$(PYTHON) -m venv $(PPO_VENV)
	$(PPO_VENV)/bin/python -m pip install --quiet --constraint constraints-ppo.txt --upgrade pip setuptools
	$(PPO_VENV)/bin/python -m pip install --quiet --constraint constraints-ppo.txt \
	  --editable . pytest jinja2 matplotlib psutil torch trl transformers tqdm
	@touch $@
