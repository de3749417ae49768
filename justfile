# Everything a person types. `./just` brings what this needs; `./just` alone lists it.

set positional-arguments := true

uv := env("UV", "uv")
python := ".venv/bin/python"
# What was compiled is kept, whatever this machine says: compiling takes longer than starting.
export PYTHONDONTWRITEBYTECODE := ""

[private]
default:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Start the whole platform, in the foreground, until Ctrl-C
[group('run')]
[no-exit-message]
up: install
    @exec {{ python }} -m infra.dev up

# Stop the platform from another shell, and wait until it is gone
[group('run')]
[no-exit-message]
down: install
    @exec {{ python }} -m infra.dev down

# Show what runs and whether it is healthy; fails unless everything is
[group('run')]
[no-exit-message]
status: install
    @exec {{ python }} -m infra.dev status

# Show how the platform does: processes, disk, backlog, mail that waits, errors, backups
[group('run')]
[no-exit-message]
health: install
    @exec {{ python }} -m infra.dev health

# Say, before anything starts, what is missing or wrong on this machine
[group('run')]
[no-exit-message]
startup-check: install
    @exec {{ python }} -m infra.dev startup-check

# Forget the platform that was here, for a new beginning (asks; or --yes); its backups stay
[group('run')]
[no-exit-message]
reset *ARGS: install
    @exec {{ python }} -m infra.dev reset "$@"

side_by_side := "-n 2 --reruns 1 -raR --durations 40"

# Run every check and every test that takes seconds
[group('check')]
test *PYTEST: check servers
    @exec {{ python }} -m pytest {{ side_by_side }} -m "not long and not interop" "$@"

# Run the tests that take minutes, too
[group('check')]
test-all *PYTEST: check servers
    @exec {{ python }} -m pytest {{ side_by_side }} -m "not interop" "$@"

# Run these tests, and again whenever code is saved: `./just test-watch tests/sync/test_moves.py`
[group('check')]
test-watch +PYTEST: install-test
    @exec {{ python }} -m pytest -q --looponfail --override-ini "looponfailroots=services shared infra tests" "$@"

# Tell the stories of tests/interop to every server, and write docs/standards.md's table
[group('check')]
interop *PYTEST: install-test servers
    @infra/scripts/interop-servers
    @exec {{ python }} -m pytest tests/interop tests/web/test_gmail.py {{ if PYTEST == "" { "--interop-table docs/standards.md" } else { "" } }} "$@"

# Break everything at random, and prove the copy, for MINUTES (60) from SEED (random)
[group('check')]
chaos *ARGS: install-test servers
    @exec {{ python }} -m tests.chaos "$@"

# Look for inputs that break a promise of what reads mail, for SECONDS (60) at each door
[group('check')]
fuzz *ARGS: install-test
    @VIRTUAL_ENV="$PWD/.venv" exec "{{ uv }}" run --quiet --no-project --active \
        --with-requirements tests/fuzz/requirements.txt python -m tests.fuzz "$@"

# Check style, types, import rules, generated documents, the lock and the webmail
[group('check')]
[parallel]
check: check-types check-rules check-web

# One reads all of Python on one processor, and the others are done meanwhile.
[private]
check-types: install-test
    {{ python }} -m pyright

[private]
check-rules: install-test
    {{ python }} -m ruff check
    {{ python }} -m ruff format --check
    {{ python }} -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
    {{ python }} -m infra.scripts.generate --check
    {{ python }} -m infra.dev.lock --check

[private]
check-web: install-test
    {{ python }} -m infra.dev web check

# Format the code, and mend what can be mended
[group('check')]
fmt: install-test
    {{ python }} -m ruff check --fix
    {{ python }} -m ruff format

# Write the generated documents anew: events, schemas, .env.example
[group('check')]
generate: install-test
    {{ python }} -m infra.scripts.generate

# Install Dovecot, Postfix and Chromium for the stories, where apt may
[private]
servers:
    @infra/scripts/test-servers

# Bring .venv to what requirements.lock says, as far as running needs it
[group('tools')]
install:
    @UV="{{ uv }}" infra/dev/install run

# Bring .venv to what requirements.lock says, with what checks and tests need
[group('tools')]
install-test:
    @UV="{{ uv }}" infra/dev/install test

# Pin the dependencies anew after a change of pyproject.toml (--upgrade: the newest of all)
[group('tools')]
lock *ARGS:
    @UV="{{ uv }}" "${POSTBUS_PYTHON:-python3}" -m infra.dev.lock "$@"

# Measure: run benchmarks/NAME.py
[group('tools')]
bench NAME *ARGS: install-test
    @shift; exec {{ python }} "benchmarks/{{ NAME }}.py" "$@"

# Bring the database to this release (DATABASE_ADMIN_URL, or the platform that runs here)
[group('operate')]
migrate: install
    @exec {{ python }} -m infra.dev run shared.db migrate

# Bring streams and consumers to this release (BUS_ADMIN_URL, or the platform that runs here)
[group('operate')]
bus: install
    @exec {{ python }} -m infra.dev run shared.bus apply

# Make a backup now, and verify it (`list`, `verify --key FILE`: what is there; docs/operations.md)
[group('operate')]
backup *COMMAND: install
    @exec {{ python }} -m infra.dev run infra.backup {{ if COMMAND == "" { "now" } else { '"$@"' } }}

# Make the key that opens backups, and show it once (FILE gets its public half)
[group('operate')]
recovery-key *FILE: install
    @exec {{ python }} -m infra.dev run infra.backup recovery-key "$@"

# Bring a backup back to a machine that is empty: --key FILE [--from DIR] [--to TIME] [SET]
[group('operate')]
restore *ARGS: install
    @exec {{ python }} -m infra.dev restore "$@"

# Prove that a backup comes back: restore it beside, read all of it, say how long it took
[group('operate')]
restore-drill *ARGS: install
    @exec {{ python }} -m infra.dev restore --drill "$@"

# List what a consumer could not handle, with the reason
[group('operate')]
dead-letters *CONSUMER: install
    @exec {{ python }} -m infra.dev run shared.bus dead-letters "$@"

# Give dead letters another chance
[group('operate')]
replay *CONSUMER: install
    @exec {{ python }} -m infra.dev run shared.bus replay "$@"

# Make EMAIL the owner of a new tenant; asks for a password
[group('operate')]
user-add EMAIL: install
    @exec {{ python }} -m infra.dev run services.api add-owner "$@"

# What an operator does by hand: add-owner EMAIL, tenants, suspend, resume, delete-tenant, quota
[group('operate')]
api *COMMAND: install
    @exec {{ python }} -m infra.dev run services.api "$@"

# Have sync tell everything again to SERVICE (api, indexer) after it lost rows
[group('operate')]
retell SERVICE *ARGS: install
    @service="$1"; shift; exec {{ python }} -m infra.dev run "services.$service" retell "$@"

# Make the words that search finds anew: of all accounts, `--account acc_…` or `--tenant ten_…`
[group('operate')]
reindex *ARGS: install
    @exec {{ python }} -m infra.dev run services.indexer reindex "$@"

# Have the threads of ACCOUNT (acc_…), or of all accounts, made anew from what is kept
[group('operate')]
rethread *ACCOUNT: install
    @exec {{ python }} -m infra.dev run services.sync rethread "$@"

# Compare every mailbox of ACCOUNT (acc_…), or of all accounts, with its server now; fails unless all are proven
[group('operate')]
audit *ARGS: install
    @exec {{ python }} -m infra.dev run services.sync audit "$@"

# Make the passwords that compose.yaml asks for, once, in secrets/
[group('operate')]
secrets:
    @infra/scripts/secrets

# docker compose, with the passwords made: `./just compose up --build --detach --wait`
[group('operate')]
compose *ARGS: secrets
    @exec docker compose "$@"

# Say, before the stack starts, what is missing or wrong (`--profile mail`: as it will be started)
[group('stack')]
[no-exit-message]
stack-check *ARGS: install
    @exec {{ python }} -m infra.stack.check "$@"

# Show how the stack does: containers, disk, backlog, mail that waits, errors, backups (`--profile …`)
[group('stack')]
[no-exit-message]
stack-health *ARGS: install
    @exec {{ python }} -m infra.stack.health "$@"

# By hand, in the stack: dead-letters, replay, audit, rethread, reindex, retell, add-owner, tenants, …
[group('stack')]
stack *COMMAND:
    @infra/scripts/stack "$@"

# Have every certificate that is missing; from the world's authority where ACME_EMAIL says so
[group('stack')]
certs: secrets
    @infra/scripts/certs

# Take mail for DOMAIN, signed with a key of its own; prints what its DNS must say
[group('stack')]
mail-domain-add DOMAIN: secrets
    @docker compose run --rm mail-admin domain-add "$1"

# Give ADDRESS a mailbox, of QUOTA (500M, 2G) if you like; its password comes from standard input or is made
[group('stack')]
mail-user-add ADDRESS *QUOTA: secrets
    @docker compose run --rm $([ -t 0 ] || echo --no-TTY) mail-admin user-add "$@"

# Let mail for ALIAS come to TARGET
[group('stack')]
mail-alias-add ALIAS TARGET: secrets
    @docker compose run --rm mail-admin alias-add "$1" "$2"

# What else mail servers are told: domain-dns, domain-list, dkim-renew, user-list, user-password, user-remove, alias-remove
[group('stack')]
mail *COMMAND: secrets
    @docker compose run --rm $([ -t 0 ] || echo --no-TTY) mail-admin "$@"

# List what waits in Postfix's queue
[group('stack')]
mailq: secrets
    @docker compose exec postfix postqueue -p

# Try everything in Postfix's queue now
[group('stack')]
mailq-flush: secrets
    @docker compose exec postfix postqueue -f

# Forget a message of Postfix's queue (its id as mailq shows it, or ALL)
[group('stack')]
mailq-delete ID: secrets
    @docker compose exec postfix postsuper -d "$1"

# Follow the log of SERVICE, or of all
[group('stack')]
logs *SERVICE: secrets
    @docker compose logs --follow --tail 100 "$@"

# Start the stack for development: code is taken over as it is saved, mail goes to Mailpit
[group('stack')]
dev *ARGS: secrets
    @docker compose --file compose.yaml --file compose.dev.yaml up --build --watch "$@"

# A PostgreSQL shell in the database, as its superuser; with SERVICE, in its schema
[group('stack')]
psql SERVICE="public": secrets
    @docker compose exec --env PGOPTIONS="--search_path=$1" postgres psql postbus

# A shell in the container of SERVICE
[group('stack')]
shell SERVICE: secrets
    @docker compose exec "$1" sh

# Stop and start SERVICE, or all, one after the other
[group('stack')]
restart *SERVICE: secrets
    @docker compose restart "$@"

# Run COUNT processes of SERVICE (api, sync-listen, sync-answer, sender, indexer), from now on
[group('stack')]
scale SERVICE COUNT: secrets
    @infra/scripts/scale "$1" "$2"

# Build the images on this machine
[group('stack')]
build *SERVICE: secrets
    @docker compose --profile mail build "$@"

# Build the images, and look through them where a scanner is installed
[group('stack')]
image-build: build
    @infra/scripts/images scan || [ $? -eq 3 ]

# Look through the images for known holes that a newer release mends: by trivy, grype or IMAGE_SCANNER
[group('stack')]
image-scan: secrets
    @infra/scripts/images scan

# Write down, by digest, the images of others that are on this machine: compose.pins.yaml
[group('stack')]
image-pin: secrets
    @infra/scripts/images pin

# Remove images that a newer build replaced, and what builds kept for longer than a week; no volume
[group('stack')]
prune:
    @docker image prune --force --filter label=org.opencontainers.image.vendor=Postbus
    @docker builder prune --force --filter until=168h

# Push the images to POSTBUS_REGISTRY, as POSTBUS_RELEASE
[group('stack')]
image-push: build
    @infra/scripts/images push

# Make the key that opens the stack's backups, and show it once: keep it elsewhere
[group('stack')]
stack-recovery-key: secrets
    @docker compose run --rm --no-deps backup recovery-key

# Make a backup of the stack now, and verify it (`list`, `verify --key -`: what is there)
[group('stack')]
stack-backup *COMMAND: secrets
    @docker compose exec $([ -t 0 ] || echo --no-TTY) backup python -m infra.backup {{ if COMMAND == "" { "now" } else { '"$@"' } }}

# Bring a backup back to a stack that is down: KEYFILE (or -) [SET] [--to TIME] [--replace]
[group('stack')]
stack-restore *ARGS:
    @infra/scripts/restore-stack "$@"

# Make new secrets: jwt, mail-keys, database or nats
[group('stack')]
secrets-rotate WHAT: secrets
    @infra/scripts/rotate "$1"

# Build, start and walk through the whole stack in Docker, hurt it, and see it heal (minutes)
[group('check')]
test-compose *ARGS: install-test
    @exec {{ python }} -m tests.compose "$@"
