# make run    install what is missing into .venv and start the program (ARGS="--source film.mp4" adds options)
# make test   the same with the tools of the tests, then ruff, mypy and pytest
# make clean  remove what these made

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?=

COMMA := ,
EXTRAS := openvino$(if $(wildcard /proc/driver/nvidia),$(COMMA)gpu)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
TORCH := $(shell sed -n 's/^\(torch==.*\)/\1/p' constraints.txt)
DESCRIPTION := pyproject.toml setup.cfg constraints.txt

.PHONY: run test lint clean
.DELETE_ON_ERROR:

# With no display at all there is no window: the program then draws off screen and says where its picture is.
run: $(VENV)/.run-installed
	$(BIN)/artem-vr run $(ARGS)

# Files of tests side by side, at most four (1.5 GB each). Each has one thread for torch's arithmetic: those of several
# processes on the same cores wait for each other longer than they work.
test: $(VENV)/.test-installed lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/mypy

$(VENV)/.venv-made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
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
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
