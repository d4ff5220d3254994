# Without PYTHON the quickest build of python3's version on this machine; with it that very one.
INSTALL := $(or $(PYTHON),python3) install.py $(if $(PYTHON),--this-python)
BIN := .venv/bin

.PHONY: run test check e2e bench lock venv venv-dev

run: venv  ## start everything on this machine: one command, no other server
	@exec $(BIN)/python manage.py up --demo

test: venv-dev  ## the whole suite; DATABASE_URL and REDIS_URL choose the servers
	@$(BIN)/python -m pytest -n auto

check: venv-dev  ## format, lint, types, import contracts, sizes, templates, migrations, deploy
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy .
	@$(BIN)/python -m tests.house.check

e2e: venv-dev  ## a real browser and the JavaScript clients
	@$(BIN)/python -m tests.e2e.prepare
	@$(BIN)/python -m pytest tests/e2e

bench: venv-dev  ## what a call costs, as ratios measured in one run
	@$(BIN)/python -m bench

lock: venv-dev  ## write the locks anew, seven days behind the newest releases
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --exclude-newer "7 days" pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --exclude-newer "7 days" --group dev pyproject.toml -c requirements.lock -o requirements-dev.lock

venv:
	@$(INSTALL)

venv-dev:
	@$(INSTALL) --dev
