# One image for ingest, worker, api and every `python -m store …`: docs/deploy.md explains how to run them.
FROM python:3.13-slim-bookworm AS packages
# requirements-tracing.lock adds OpenTelemetry's SDK.
ARG LOCK=requirements-deploy.lock
WORKDIR /build
COPY ${LOCK} packages.lock
RUN python -m venv /venv
RUN /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r packages.lock
RUN /venv/bin/python -m pip uninstall --yes pip

FROM python:3.13-slim-bookworm
# A numeric user, because Kubernetes cannot verify that a name is not root. The folder, because a new volume copies its owner.
RUN groupadd --gid 10001 sak && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sak
RUN install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
# Compiles now, because the root file system is read-only at run time. Makes files readable for the user below, in case
# the repository was cloned with a restrictive umask.
RUN /venv/bin/python -m compileall -q . && chmod -R a+rX .
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONUTF8=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENV DATA_DIR=/data HOST=0.0.0.0 INGEST_PORT=3000 API_PORT=3001 WORKER_PORT=3003
EXPOSE 3000 3001 3003
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "deploy/alive.py"]
CMD ["python", "-m", "ingest"]
