# Every target builds its own environment: a fresh clone needs nothing but Python 3.11 or newer.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
DEMO   ?= runs/quick

.PHONY: demo test test-all coverage mutation lint types bench docs findings real-gains real-gains-vectors clean

demo: $(VENV)/.installed
	$(BIN)/mtl-laws run pipeline/studies/quick.yaml --out $(DEMO)

test: lint
	$(BIN)/python -m pytest -n 2

test-all: lint
	$(BIN)/python -m pytest -n 2 -m ""

coverage: $(VENV)/.developed
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term:skip-covered

lint: $(VENV)/.developed types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.developed build/package/mtl_laws
	$(BIN)/mypy

bench: $(VENV)/.developed
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

mutation: $(VENV)/.developed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[mutation]'
	$(BIN)/mutmut run
	$(BIN)/mutmut results

findings: $(VENV)/.installed
	PYTHONPATH=benchmarks $(BIN)/python -m reference_study

# Gains on real corpora, for `advise`: treebanks lie in CORPORA, each in a folder of its own, and
# files of frozen vectors in CORPORA/vectors.
real-gains real-gains-vectors: $(VENV)/.installed
	cd $(CORPORA) && $(CURDIR)/$(BIN)/mtl-laws run $(CURDIR)/data/$@.yaml --out $(CURDIR)/runs/$@
	$(BIN)/python data/make_reference.py runs --only $@ --corpora $(CORPORA)
	$(BIN)/python benchmarks/advice_law.py --ship

docs: $(VENV)/.developed build/package/mtl_laws
	$(PIP) install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python docs/generate_cli.py
	$(BIN)/python -m mtl_laws.pipeline.columns > docs/columns.md
	$(BIN)/python -m mtl_laws.pipeline.laws.lawset > docs/laws.schema.json
	$(BIN)/python docs/generate_rules.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:
	rm -rf $(VENV) build runs .pytest_cache .mypy_cache .ruff_cache

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# The package as it is installed, as links: mypy does not follow an editable install.
build/package/mtl_laws:
	mkdir -p $@
	ln -sfn ../../../src/mtl_laws/__init__.py ../../../src/mtl_laws/__main__.py ../../../src/mtl_laws/py.typed $@
	ln -sfn ../../../pipeline ../../../simulator $@
