# `make run` sets everything up and ends with results/sft_model; `make test` checks the code.
# run, dry-run, watch, report, chat, serve, web, export, push, crate, sweep, prune, verify-files, verify and clean are about the demo, or with CONFIG=my_run.yaml about the run of those settings.

PYTHON ?= python3
CONFIG ?=
HOST ?= 127.0.0.1
PORT ?= 8000
CORES ?= all
LOCKED ?=
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-bench
OLDER := .venv-transformers-4
HARNESS := .venv-lm-eval
READABILITY := .venv-readability
LOCK := .venv-lock
PAGES ?= .bench-pages
SNAKEMAKE = $(BIN)/snakemake --cores all --quiet host rules reason $(if $(CONFIG),--configfile $(CONFIG))
# The run's folder, in $$folder; ends with one line when a settings file cannot be read.
FOLDER = folder=$$($(BIN)/python scripts/run_folder.py $(CONFIG))
CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 run")'
$(if $(filter-out cpu cuda,$(LOCKED)),$(error LOCKED=$(LOCKED): say cpu or cuda, the build of torch))

# Some container images forbid Python to keep what it has compiled. Every job of a run would compile its libraries anew,
# which takes eight seconds.
unexport PYTHONDONTWRITEBYTECODE

# Test files are dealt out to a process for each core.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist loadfile

.PHONY: help run dry-run watch report chat serve web export push crate compare sweep prune verify-files verify check test test-all test-faults docs lock format clean bench-corpus bench-tokenizer bench-training bench-gpu bench-extension bench-pages

help:
	@echo "make run      set up, then build results/sft_model and print its scores"
	@echo "make run CONFIG=my_run.yaml  the same with your settings, in runs/my_run; so do dry-run, watch, report, chat, serve, web, export, sweep, prune, clean"
	@echo "make run LOCKED=cpu  with packages whose files have the hashes in envs/, so do all others that set up; cuda: torch for GPUs"
	@echo "make watch    a page that shows how a run goes while it goes: curves, stage, time left; PORT=8001, in another terminal"
	@echo "make serve    answer other programs by OpenAI's interface, on this machine alone: PORT=8000, HOST=127.0.0.1"
	@echo "make web      the same, and open the chat page: the finished and the base model side by side"
	@echo "make export   write the finished model as export.formats says: GGUF, safetensors, adapters (results/export/)"
	@echo "make compare  put all runs side by side in runs/compare.html, or some: RUNS=\"demo my_run\""
	@echo "make sweep    try the settings that your file names under sweep; report and best.yaml are in results/sweep"
	@echo "make prune    list what a run has of sources that its sheet no longer names; YES=1 removes it"
	@echo "make verify-files  compare every file of a run with its manifest, and name what is damaged, missing or foreign"
	@echo "make verify   rebuild a run in a second folder, and compare all files that claim to be the same to the bit: CORES=all"
	@echo "make dry-run  show what would run"
	@echo "make report   build results/report.html"
	@echo "make chat     talk to the finished model"
	@echo "make push REPO=me/my-model  upload the finished model to a hub, with HF_TOKEN set; DRY_RUN=1 only says what, PUBLIC=1"
	@echo "make crate    describe the results as an RO-Crate in results/ro-crate-metadata.json"
	@echo "make test     set up, then check the code, run unit tests and one run from end to end"
	@echo "make test-all everything, as continuous integration does; check: without tests"
	@echo "make test-faults  everything that docs/faults.md says happens when something breaks"
	@echo "make docs     write the settings table, the schema and docs/reruns.md from the code"
	@echo "make lock     pin what the requirements and conda environments bring along, with hashes; UPGRADE=1 for the newest"
	@echo "make format   format programs and rules"
	@echo "make bench-corpus  measure cleaning and deduplication against datatrove"
	@echo "make bench-pages PAGES=folder  measure the main text of web pages against trafilatura and readability-lxml"
	@echo "make bench-tokenizer  measure continued BPE against other ways to extend a vocabulary"
	@echo "make bench-training  measure training against a bare loop and TRL; needs results/base_model"
	@echo "make bench-gpu  measure time and memory of training on a GPU, by setting"
	@echo "make bench-extension  measure quality against time, with new tokens and without"
	@echo "make clean    remove results, logs, checkpoints of a run; keep the environment"

run: $(VENV)/.installed
	@$(FOLDER) && $(SNAKEMAKE) -- model && \
		$(BIN)/python scripts/summary.py --folder "$$folder" --files $(CONFIG)

dry-run: $(VENV)/.installed
	@$(FOLDER) && $(SNAKEMAKE) --dry-run -- model

# It needs no more than the run does, and so never installs anything beside it.
watch: PORT = 8001
watch: $(VENV)/.installed
	@$(BIN)/python scripts/watch.py $(CONFIG) --host $(HOST) --port $(PORT) --open

report: $(VENV)/.installed
	@$(FOLDER) && $(SNAKEMAKE) -- results/report.html

push: $(VENV)/.installed
	@$(FOLDER) && $(BIN)/python scripts/push.py --model "$$folder/results/sft_model" --repo "$(REPO)" \
		$(if $(PUBLIC),--public) $(if $(DRY_RUN),--dry-run)

crate: $(VENV)/.installed
	@$(FOLDER) && $(BIN)/python scripts/crate.py --results "$$folder/results"

chat: $(VENV)/.installed
	@$(BIN)/python scripts/chat.py --files $(CONFIG)

serve: $(VENV)/.installed-serving
	@$(BIN)/python scripts/serve.py $(CONFIG) --host $(HOST) --port $(PORT)

web: $(VENV)/.installed-serving
	@$(BIN)/python scripts/serve.py $(CONFIG) --host $(HOST) --port $(PORT) --open

export: $(VENV)/.installed-export
	@$(FOLDER) && $(SNAKEMAKE) -- export

sweep: $(VENV)/.installed
	@$(FOLDER:run_folder.py=run_folder.py --sweep) && $(SNAKEMAKE) -- results/sweep/best.yaml

compare: $(VENV)/.installed
	@$(BIN)/python scripts/compare.py $(RUNS)

prune: $(VENV)/.installed
	@$(BIN)/python scripts/prune.py $(CONFIG) $(if $(YES),--remove)

verify-files: $(VENV)/.installed
	@$(BIN)/python scripts/verify_files.py $(CONFIG)

verify: $(VENV)/.installed
	@$(BIN)/python scripts/verify.py $(CONFIG) --cores $(CORES)

check: $(VENV)/.installed-test
	$(BIN)/ruff check scripts tests
	$(BIN)/ruff format --check scripts tests
	$(BIN)/mypy scripts
	$(BIN)/snakefmt --check Snakefile rules

test: check $(OLDER)/.installed
	$(PYTEST) -m "not slow"

# pytest ends with 5 when it finds no tests, as without a SLURM.
test-all: check $(OLDER)/.installed $(HARNESS)/.installed
	$(PYTEST) tests/unit tests/integration
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile tests/slurm || [ $$? = 5 ]

# Rows of docs/faults.md, but for those that need a SLURM.
test-faults: $(VENV)/.installed-test
	$(PYTEST) -m fault tests/unit tests/integration

docs: $(VENV)/.installed-test
	$(BIN)/python scripts/settings_docs.py
	@PYTHONPATH=scripts:tests $(BIN)/python tests/reruns.py

lock: $(LOCK)/.installed
	@$(LOCK)/bin/python scripts/lock.py --uv $(LOCK)/bin/uv $(if $(UPGRADE),--upgrade)

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix scripts tests
	$(BIN)/ruff format scripts tests
	$(BIN)/snakefmt Snakefile rules

clean: $(VENV)/.installed
	@$(FOLDER) && mkdir -p "$$folder/results" && cd "$$folder" && rm -rf logs benchmarks work .snakemake && \
		find results -mindepth 1 -not -name .gitkeep -delete

bench-corpus: $(VENV)/.installed $(PEERS)/.installed
	@$(BIN)/python tests/benchmarks/bench_corpus.py --peer $(PEERS)/bin/python

bench-pages: $(VENV)/.installed $(READABILITY)/.installed
	@PYTHONPATH=$(READABILITY) $(BIN)/python tests/benchmarks/bench_pages.py $(PAGES)

bench-tokenizer: $(VENV)/.installed $(PEERS)/.installed
	@$(BIN)/snakemake --cores all --quiet host rules reason -- results/base_model/manifest.json
	@$(BIN)/python tests/benchmarks/bench_tokenizer.py --peer $(PEERS)/bin/python

bench-training: $(VENV)/.installed $(PEERS)/.installed
	@$(BIN)/snakemake --cores all --quiet all -- results/base_model/manifest.json
	@$(BIN)/python tests/benchmarks/bench_training.py --peer $(PEERS)/bin/python

bench-gpu: $(VENV)/.installed
	@$(BIN)/python tests/benchmarks/bench_gpu.py

bench-extension: $(VENV)/.installed
	@$(BIN)/python tests/benchmarks/bench_extension.py

$(VENV)/.installed: $(if $(LOCKED),$(VENV)/.locked-$(LOCKED),envs/requirements.txt envs/constraints.txt)
ifndef LOCKED
	@$(CHECK_PYTHON)
	@echo "Installing the environment into $(VENV) (once, one to three minutes)"
	@$(PYTHON) -m venv $(VENV)
	@# Python compiles what it imports; compiling everything would take as long as all else here.
	@$(BIN)/pip install -qq --disable-pip-version-check --no-compile -r envs/requirements.txt -c envs/constraints.txt
endif
	@touch $@

# From scratch, since pip does not compare with its hash what is installed already.
$(VENV)/.locked-%: envs/locked.txt envs/locked-%.txt
	@$(CHECK_PYTHON)
	@echo "Installing the environment into $(VENV), every file by its hash (once, one to three minutes)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check --no-compile --require-hashes --no-deps -r envs/locked-$*.txt
	@touch $@

$(VENV)/.installed-serving: $(VENV)/.installed envs/requirements-serving.txt
	@echo "Installing the server into $(VENV)"
	@$(BIN)/pip install -qq --disable-pip-version-check -r envs/requirements-serving.txt -c envs/constraints.txt
	@touch $@

$(VENV)/.installed-export: $(VENV)/.installed envs/requirements-export.txt
	@echo "Installing llama.cpp for GGUF files into $(VENV)"
	@$(BIN)/pip install -qq --disable-pip-version-check -r envs/requirements-export.txt -c envs/constraints.txt
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed-export $(VENV)/.installed-serving envs/requirements-test.txt
	@echo "Installing the test tools into $(VENV)"
	@$(BIN)/pip install -qq --disable-pip-version-check -r envs/requirements-test.txt -c envs/constraints.txt
	@# Programs that tests start write no bytecode. A few files of packages are templates that do not compile.
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

# Packages that hide the newer ones of $(VENV) when they come first on PYTHONPATH; torch is shared.
$(OLDER)/.installed: $(VENV)/.installed envs/requirements-transformers-4.txt
	@echo "Installing transformers 4 into $(OLDER), to test that models load there"
	@rm -rf $(OLDER)
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --target $(OLDER) -r envs/requirements-transformers-4.txt
	@touch $@

# As the recipe installs it, but beside $(VENV), which is tested without it.
$(HARNESS)/.installed: $(VENV)/.installed envs/requirements-lm-eval.txt
	@echo "Installing lm-eval into $(HARNESS), to test its tasks"
	@rm -rf $(HARNESS)
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --target $(HARNESS) -r envs/requirements-lm-eval.txt
	@touch $@

$(READABILITY)/.installed: $(VENV)/.installed envs/requirements-bench-pages.txt
	@rm -rf $(READABILITY)
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --target $(READABILITY) -r envs/requirements-bench-pages.txt
	@touch $@

$(LOCK)/.installed: envs/requirements-lock.txt
	@$(PYTHON) -m venv $(LOCK)
	@$(LOCK)/bin/pip install -qq --disable-pip-version-check -r envs/requirements-lock.txt
	@touch $@

$(PEERS)/.installed: envs/requirements-bench.txt
	@echo "Installing what benchmarks compare with into $(PEERS)"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/pip install -qq --disable-pip-version-check -r envs/requirements-bench.txt
	@$(PEERS)/bin/pip install -qq --disable-pip-version-check --no-deps -r envs/requirements-bench-data.txt
	@touch $@
