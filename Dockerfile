# One image for the Prefect server, the worker and MLflow, so that a server is never older than its clients.
#   docker build --tag cotpd:0.1.0 .
# Trade-off: 3 GB with torch, which only the worker needs; three smaller images would have to be kept on one version.

FROM python:3.12.12-slim-bookworm AS build
# The build of torch without CUDA. On machines with GPUs: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /source
COPY . .
RUN python -m venv /opt/cotpd \
    && /opt/cotpd/bin/pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" '.[all,postgres,ray,s3]'

FROM python:3.12.12-slim-bookworm
# That of the mounted project's owner, or the worker cannot write there.
ARG UID=1000
# DVC needs git. Debian keeps one version of it in a release, and removes the earlier ones: a pin would break the build.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --non-unique --uid "$UID" --create-home cotpd \
    && install --directory --owner cotpd /project /cache
COPY --from=build /opt/cotpd /opt/cotpd
ENV PATH=/opt/cotpd/bin:$PATH \
    COTPD_CACHE=/cache \
    PYTHONUNBUFFERED=1 \
    DVC_NO_ANALYTICS=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    MLFLOW_DISABLE_TELEMETRY=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
USER $UID
WORKDIR /project
CMD ["cotpd", "--help"]
