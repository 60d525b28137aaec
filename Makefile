# `make demo` and `make test` set up what they need.  `make help` lists the targets.

VENV ?= .venv
# An interpreter to build .venv from, e.g. `make install PYTHON=python3.12`.  Where none is named,
# tools/install.py looks for one.
PYTHON ?=
# Threads of one test run: its matrices are small, and threads that wait for a core that others use cost far more than
# they bring.
OMP_NUM_THREADS ?= 1
# What `make lock` calls.
UV ?= uv

.DEFAULT_GOAL := help
.PHONY: help install test demo lock clean

help:
	@echo 'make install   set up $(VENV): Python 3.10 to 3.13 and network, about 5.4 GB'
	@echo '               PYTHON=python3.12 names the interpreter; a torch that fits is used as it is'
	@echo 'make demo      from raw text to a tagger with ELMo, under 10 minutes on 2 cores'
	@echo 'make test      all tests; TESTS="tests/bilm -k lstm" runs some of them'
	@echo 'make lock      maintainers: compile requirements.txt from setup.py with uv'
	@echo 'make clean     remove $(VENV) and what builds and tests leave behind'

# tools/install.py looks for a Python that fits, and itself runs on any from 3.7 on.
install:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.10 python; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null; then \
			exec "$$python" -m tools.install --venv "$(VENV)" $(if $(PYTHON),--python "$(PYTHON)"); fi; \
	done; \
	echo 'No Python was found on PATH. Install Python 3.10, 3.11, 3.12 or 3.13, or name one: make install PYTHON=/path/to/python3.12' >&2; exit 1

test: install
	@OMP_NUM_THREADS=$(OMP_NUM_THREADS) "$(VENV)/bin/python" -m pytest $(TESTS)

demo: install
	@"$(VENV)/bin/python" demo/run.py

# Versions in requirements.txt stay as they are unless setup.py forbids them; LOCK_OPTIONS=--upgrade
# takes the newest.  Try what comes out on Python 3.10 to 3.13 before committing it.
lock:
	$(UV) pip compile --quiet --universal --python-version 3.10 --all-extras --no-annotate --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' $(LOCK_OPTIONS) --output-file requirements.txt setup.py

clean:
	rm -rf "$(VENV)" build dist *.egg-info .pytest_cache elmo_plugin/bilm/ops/compiled/*.so elmo_plugin/corpus/compiled/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
