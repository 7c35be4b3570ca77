# `make demo` runs the main job, `make test` proves it; each does all of its set-up by itself.
.PHONY: help env demo test lint format lock bench chaos screenshots

BIN := .venv/bin

help:
	@sed -n 's/^## //p' Makefile

## make env          build .venv, so that .venv/bin/ringfence runs
env: .venv/.ready

.venv/.ready: requirements.txt pyproject.toml tools/environment tools/uv-version
	@tools/environment

## make demo         start everything, place a real call, serve the pages until Ctrl-C (ONCE=1: stop after the call)
demo: env
	@tools/debian-packages debootstrap debian-archive-keyring
	@exec $(BIN)/ringfence demo $(if $(ONCE),--once)

## make test         style, types, imports, then every test on real parts
test: env lint
	@tools/debian-packages debootstrap debian-archive-keyring chromium-headless-shell fonts-noto-cjk systemd
	@tools/run-tests

## make lint         ruff, mypy and the house's import rule
lint: env
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@PATH="$$PWD/$(BIN):$$PATH" lint-imports --no-logo >/dev/null || PATH="$$PWD/$(BIN):$$PATH" lint-imports --no-logo

## make format       let ruff lay out the code
format: env
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

## make lock         resolve pyproject.toml into requirements.txt
lock: env
	@UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements.txt

## make screenshots  take the screenshots of the docs anew
screenshots: env
	@tools/debian-packages debootstrap debian-archive-keyring chromium-headless-shell fonts-noto-cjk
	@$(BIN)/python -m tools.screenshots

## make chaos        break things at random moments of real calls, audit the books from outside (SEED=, FAULTS=, ONLY=, SKIP=)
chaos: env
	@tools/debian-packages debootstrap debian-archive-keyring faketime
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(ONLY),--only $(ONLY)) $(if $(SKIP),--skip $(SKIP))

## make bench        run every benchmark beside its baseline
bench: env
	@tools/debian-packages debootstrap debian-archive-keyring
	@$(BIN)/ringfence bench
