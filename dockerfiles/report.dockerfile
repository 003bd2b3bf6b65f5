# The report function: docker build -f dockerfiles/report.dockerfile -t report .
#                      docker run -p 8082:8082 -v "$PWD/data/bucket:/bucket" --user "$(id -u)" report
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS libraries
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# a tool of this stage: whichever version the base has
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
RUN python -m venv --without-pip /opt/venv
COPY dockerfiles/requirements.txt /build/dockerfiles/
COPY requirements_report.txt /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --no-compile --requirement /build/requirements_report.txt \
    --constraint /build/dockerfiles/requirements.txt dumb-init
COPY dockerfiles/slim.py /build/dockerfiles/
RUN python /build/dockerfiles/slim.py /opt/venv \
    evidently.presets evidently.metrics evidently.tests filelock functions_framework google.cloud.pubsub_v1 \
    google.cloud.storage gunicorn.app.base gunicorn.workers.gthread PIL.Image plotly.graph_objs \
    prometheus_client pyarrow.parquet pydantic_settings scipy.stats typer

FROM ${PYTHON} AS code
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/build
COPY dockerfiles/requirements.txt /build/dockerfiles/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/build/bin/python install --constraint /build/dockerfiles/requirements.txt setuptools
COPY pyproject.toml README.md LICENSE requirements_dev.txt /build/
COPY src /build/src
RUN pip --python /opt/build/bin/python install --no-cache-dir --no-index --no-deps --no-build-isolation \
    --target /opt/animals /build && \
    rm -r /opt/animals/bin

FROM ${PYTHON}
COPY --from=libraries /opt/venv /opt/venv
COPY --from=code /opt/animals /opt/animals
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/animals PYTHONUNBUFFERED=1 PORT=8082 ANIMALS_HOST=0.0.0.0 ANIMALS_BUCKET=/bucket
USER 10001
EXPOSE 8082
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["dumb-init", "--single-child", "--"]
CMD ["python", "-m", "animals.monitoring"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="animals: reports" \
      org.opencontainers.image.description="Reports on what people said of the answers." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
