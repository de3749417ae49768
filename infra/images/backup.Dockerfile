# Backups of the stack: PostgreSQL's own programs, of its own image, and what seals what they read.
#
#   docker build --file infra/images/backup.Dockerfile --tag postbus-backup .
#
# On the image of PostgreSQL, whose layers are on the machine anyway: a base comes back with the very
# programs that serve it, and the wheel that has them for `./just up` speaks no TLS.

FROM postgres:18 AS python
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*

FROM python AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY infra/dev/tools.lock ./
RUN python3 -m venv /tools && /tools/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: --requirement tools.lock
COPY pyproject.toml requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    /tools/bin/uv venv --quiet --no-python-downloads --python python3 .venv \
    && UV_LINK_MODE=copy /tools/bin/uv pip install --quiet --python .venv/bin/python \
        --compile-bytecode --only-binary :all: --constraints requirements.lock \
        --requirements pyproject.toml --extra backup \
    && /tools/bin/uv pip freeze --python .venv/bin/python >installed \
    && while read -r pin; do \
        grep -qF -- "$pin " requirements.lock || { echo "not locked: $pin" >&2; exit 1; }; \
    done <installed
COPY LICENSE ./
COPY shared shared
COPY infra/__init__.py infra/
COPY infra/backup infra/backup
COPY infra/dev/__init__.py infra/dev/as_user.py infra/dev/postgres.py infra/dev/process.py \
    infra/dev/ready.py infra/dev/
COPY infra/images/healthcheck.py infra/images/
RUN rm tools.lock pyproject.toml requirements.lock installed \
    && .venv/bin/python -m compileall -q shared infra \
    && chmod -R a+rX,go-w .

FROM python
LABEL org.opencontainers.image.title="Postbus: backups" \
      org.opencontainers.image.vendor="Postbus" \
      org.opencontainers.image.licenses="GPL-3.0-or-later"
# An empty volume takes the owner of the directory that it is mounted on first.
RUN install --directory --mode 0700 /backups /state \
    && install --directory --owner 10001 --group 10001 --mode 0700 \
        /keys /keys/api /keys/sync /keys/sender /nats /nats/data \
    && install --directory --mode 0755 /mail /mail/config /certs \
    && install --directory --owner 5000 --group 5000 --mode 0700 /mail/boxes
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    POSTBUS_SERVICE=backup \
    POSTBUS_POSTGRES_BIN=/usr/lib/postgresql/18/bin
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-I", "infra/images/healthcheck.py"]
ENTRYPOINT ["python", "-m", "infra.backup"]
CMD []
