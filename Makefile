# Everything starts here: `make help`.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.SUFFIXES:
SHELL := /bin/sh
# Bytecode is what makes a second start quick.
unexport PYTHONDONTWRITEBYTECODE
# A user's own packages must not answer for the lock's.
export PYTHONNOUSERSITE := 1

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/installed.stamp

# The groups of pyproject.toml with a lock and an environment of their own: `.venv-GROUP`, a layer
# over `.venv`. The tests use some of them.
LAYERS := train ray evaluate
TEST_LAYERS := ray evaluate
TEST_INSTALLED := $(INSTALLED) $(TEST_LAYERS:%=.venv-%/installed.stamp)

# The first Python on the PATH that is new enough and not too new; `make PYTHON=...` chooses.
PYTHON ?= $(shell for python in python3 python3.12 python3.11 python3.10; do \
    if $$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; \
    then echo $$python; break; fi; done)

LOCK_COMMAND = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.10 \
    --generate-hashes --custom-compile-command 'make lock'
UPGRADE ?= --upgrade

.PHONY: help demo test pytest lint types bench lock clean

help:  ## List the targets.
	@grep -hE '^[a-z.-]+:.*##' $(MAKEFILE_LIST) | \
	    awk -F':.*## *' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(INSTALLED)  ## Export the bundled pre-training run and show what came out.
	$(VENV_PYTHON) launch.py --gin_file=configs/demo.gin

test: $(TEST_INSTALLED)  ## Run all tests with Bazel; it and Chromium are installed first where apt-get can.
	@bazel/ensure_bazel.sh
	@bazel/ensure_chromium.sh
	@$(VENV_PYTHON) bazel/run_tests.py //...

pytest: $(TEST_INSTALLED)  ## Run all tests without Bazel.
	$(VENV_PYTHON) -m pytest tests

lint: $(INSTALLED)  ## Check style and formatting.
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(INSTALLED)  ## Check types.
	$(VENV)/bin/mypy

bench: $(INSTALLED)  ## Measure the exporter side by side with its predecessor.
	$(VENV_PYTHON) -m benchmarks

.venv: $(INSTALLED)  ## Install what requirements.lock names.

.venv-train: .venv-train/installed.stamp  ## Add what `python -m official.nlp.train` needs more.

.venv-evaluate: .venv-evaluate/installed.stamp  ## Add what --mode=evaluate needs.

.venv-ray: .venv-ray/installed.stamp  ## Add Ray, for sweeps in a cluster.

lock: $(INSTALLED)  ## Renew the locks from pyproject.toml; with UPGRADE= only what must change.
	$(LOCK_COMMAND) $(UPGRADE) --group test \
	    pyproject.toml --output-file requirements.lock
	for group in $(LAYERS); do \
	    $(LOCK_COMMAND) $(UPGRADE) --group $$group --constraints requirements.lock \
	        --output-file requirements-$$group.lock || exit 1; \
	done

clean:  ## Remove the environments and Bazel's outputs of this checkout.
	-bazel clean --expunge
	rm -rf $(VENV) $(LAYERS:%=.venv-%) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# `uv` is itself in the lock: taken from there by pip, it installs the rest in a fourth of pip's
# time. The imports at the end show that the installation works and leave bytecode behind; of the
# Model Garden all is compiled, since training and evaluating import more of it than they show.
$(INSTALLED): requirements.lock
	@test -n "$(PYTHON)" || { echo >&2 'No Python 3.10, 3.11 or 3.12 was found on the PATH.' \
	    'Install one (Debian: apt-get install python3 python3-venv) or name one:' \
	    'make PYTHON=/usr/bin/python3.11'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo >&2 '$(PYTHON) has no venv module' \
	    '(Debian: apt-get install python3-venv).'; exit 1; }
	test -x $(VENV_PYTHON) || $(PYTHON) -m venv $(VENV)
	awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements.lock > $(VENV)/uv.lock
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps \
	    --require-hashes -r $(VENV)/uv.lock \
	    && $(VENV)/bin/uv pip sync --no-config --python $(VENV_PYTHON) \
	    --require-hashes requirements.lock \
	    || $(VENV_PYTHON) -m pip install --disable-pip-version-check --no-compile --no-deps \
	    --require-hashes -r requirements.lock
	TF_USE_LEGACY_KERAS=1 TF_CPP_MIN_LOG_LEVEL=2 $(VENV_PYTHON) -c \
	    'import hypothesis, keras, pytest, tensorflow_hub, tensorflow_text; \
	    import official.nlp.configs.encoders'
	$(VENV_PYTHON) -m compileall -q \
	    "$$($(VENV_PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/official"
	touch $@

# A layer has its own interpreter, which finds the packages of `.venv` after the layer's: never a
# second copy of TensorFlow, and nothing added to what every start of the exporter looks at.
.venv-%/installed.stamp: requirements-%.lock $(INSTALLED)
	rm -rf $(@D)
	$(VENV_PYTHON) -m venv --without-pip $(@D)
	awk 'NR == FNR { installed[$$0]; next } /^[a-z]/ { wanted = !($$0 in installed) } wanted' \
	    requirements.lock $< > $(@D)/missing.lock
	$(VENV)/bin/uv pip install --no-config --python $(@D)/bin/python --no-deps \
	    --compile-bytecode --require-hashes -r $(@D)/missing.lock \
	    || $(VENV_PYTHON) -m pip --python $(@D)/bin/python install \
	    --disable-pip-version-check --no-deps --require-hashes -r $(@D)/missing.lock
	$(VENV_PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	    > "$$($(@D)/bin/python -c \
	    'import sysconfig; print(sysconfig.get_path("purelib"))')/exporter_environment.pth"
	touch $@
