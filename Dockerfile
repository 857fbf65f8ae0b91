# One image for ingest, worker, api and every `python -m store …`: docs/deploy.md has how each is run.
FROM python:3.13-slim-bookworm AS packages
# requirements-tracing.lock adds OpenTelemetry's SDK to the same packages.
ARG LOCK=requirements-deploy.lock
WORKDIR /build
COPY ${LOCK} packages.lock
RUN python -m venv /venv
RUN /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r packages.lock
RUN /venv/bin/python -m pip uninstall --yes pip

FROM python:3.13-slim-bookworm
# A number, because Kubernetes takes no name's word for not being root; the folder, because a new volume copies its owner.
RUN groupadd --gid 10001 sak && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sak
RUN install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
# The root file system is read-only where it runs, so what Python would write beside its modules is written now; and what
# a careful umask kept from others when the repository was cloned, the user below must be able to read.
RUN /venv/bin/python -m compileall -q . && chmod -R a+rX .
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONUTF8=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENV DATA_DIR=/data HOST=0.0.0.0 INGEST_PORT=3000 API_PORT=3001 WORKER_PORT=3003
EXPOSE 3000 3001 3003
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "deploy/alive.py"]
CMD ["python", "-m", "ingest"]
