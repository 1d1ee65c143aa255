# make run    install what is missing into .venv and start the program (ARGS="--source film.mp4" adds options)
# make test   the same with the tools of the tests, then ruff, mypy and pytest
# make clean  remove what these made

PYTHON ?= python3
VENV = .venv
ARGS ?=
PYTEST_ARGS ?=

COMMA := ,
EXTRAS := openvino$(if $(wildcard /proc/driver/nvidia),$(COMMA)gpu)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
TORCH := $(shell sed -n 's/^\(torch==.*\)/\1/p' constraints.txt)
DESCRIPTION := pyproject.toml setup.cfg constraints.txt

# Its Python may have gone, or become another one (the system's, upgraded) that finds nothing in it.
ANEW := $(if $(wildcard $(VENV)/.venv-made),$(shell $(BIN)/python -I -c 'import pip' >/dev/null 2>&1 || echo anew))

.PHONY: run test lint clean anew
.DELETE_ON_ERROR:

# By python -m, here and below: commands know where they were installed, and a checkout that was moved is elsewhere.
# With no display at all there is no window: the program then draws off screen and says where its picture is.
run: $(VENV)/.run-installed
	$(BIN)/python -m artem_vr run $(ARGS)

# Files of tests side by side, at most four (1.5 GB each). Each has one thread for torch's arithmetic: those of several
# processes on the same cores wait for each other longer than they work.
test: $(VENV)/.test-installed lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.test-installed
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

$(VENV)/.venv-made: $(ANEW)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(if $(ANEW),--clear) $(VENV)
	@touch $@

# torch alone and first: under its pin, a build that is at hand (CPU) is taken before the larger one of the index
$(VENV)/.torch-installed: $(VENV)/.venv-made constraints.txt
	$(PIP) $(TORCH)
	@touch $@

$(VENV)/.run-installed: $(VENV)/.torch-installed $(DESCRIPTION) .ci/system-packages
	.ci/system-packages run
	$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.test-installed: $(VENV)/.torch-installed $(DESCRIPTION) .ci/system-packages
	.ci/system-packages test
	$(PIP) --editable '.[test,openvino]'
	@touch $@ $(VENV)/.run-installed

clean:
	rm -rf $(if $(wildcard $(VENV)/.venv-made),$(VENV)) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
