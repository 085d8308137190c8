# SPDX-License-Identifier: Apache-2.0
# Each target sets up all that it needs, once (scripts/setup.sh). ARGS are handed on: make matrix ARGS='--boards mps2_an386'
.PHONY: help matrix models renode test conformance coverage defects operators fuzz lint bench clean

help:
	@echo 'make matrix   every model on every emulated board: table, out/matrix.json, out/matrix.xml'
	@echo 'make models   train the models in firmware/models again; ARGS=--check compares with those that are there'
	@echo 'make renode   every model on every board that Renode emulates: out/renode/'
	@echo 'make test     the test suite'
	@echo 'make conformance N=10000   so many cases of every operator against the oracle; ARGS="MUL SUB" for some'
	@echo 'make operators   the README'"'"'s operator table, from what the conformance cases come to'
	@echo 'make defects  defects planted in the kernels, one at a time: every one must be noticed'
	@echo 'make coverage N=500   the branches of the kernels that so many cases take'
	@echo 'make fuzz     five minutes of libFuzzer on the model reader; ARGS="link --seconds 3600" on the link for an hour'
	@echo 'make lint     ruff, mypy --strict, clang-format'
	@echo 'make bench    size and speed against the published figures of others'
	@echo 'make bench-renode  what a cell in Renode costs beyond its instructions, on this computer'
	@echo 'make clean    remove .venv, out and caches from this folder'

matrix:
	@scripts/setup.sh run
	@.venv/bin/tinyhil matrix --require oracle $(ARGS)

models:
	@scripts/setup.sh models
	@.venv/bin/python firmware/models $(ARGS)

# Renode is the one that is installed, or else the pinned one, fetched once.
renode:
	@scripts/setup.sh run
	@[ -n "$$RENODE" ] || command -v renode >/dev/null || scripts/install_renode.sh
	@.venv/bin/tinyhil matrix --target renode --out out/renode --require oracle $(ARGS)

test:
	@scripts/setup.sh test
	@.venv/bin/python -m pytest $(ARGS)

N ?= 500
conformance:
	@scripts/setup.sh test
	@PYTHONPATH=tests:tests/kernels .venv/bin/python -m conformance --count $(N) $(ARGS)

coverage:
	@scripts/setup.sh test
	@PYTHONPATH=tests:tests/kernels .venv/bin/python -m conformance.coverage --count $(N) $(ARGS)

defects:
	@scripts/setup.sh test
	@PYTHONPATH=tests:tests/kernels .venv/bin/python -m conformance.defects --count $(N) $(ARGS)

operators:
	@scripts/setup.sh test
	@PYTHONPATH=tests:tests/kernels .venv/bin/python -m conformance.table

fuzz:
	@scripts/setup.sh fuzz
	@PYTHONPATH=tests:tests/kernels .venv/bin/python -m fuzz $(ARGS)

lint:
	@scripts/setup.sh lint
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	find firmware -name '*.h' -o -name '*.cc' | xargs clang-format --dry-run -Werror

bench:
	@scripts/setup.sh run
	@.venv/bin/python scripts/bench.py $(ARGS)
	@cd tests/hardware && ../../.venv/bin/python bench_wire.py

bench-renode:
	@scripts/setup.sh run
	@.venv/bin/python scripts/bench_renode.py $(ARGS)

clean:
	rm -rf .venv out dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
