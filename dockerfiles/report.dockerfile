# The report function: docker build -f dockerfiles/report.dockerfile -t report .
#                      docker run -p 8082:8082 -v "$PWD/data/bucket:/bucket" --user "$(id -u)" report
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/venv
COPY requirements_report.txt /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --requirement /build/requirements_report.txt
# the largest libraries' own tests
RUN cd /opt/venv/lib/python3*/site-packages && find pandas pyarrow scipy sklearn -depth -type d -name tests -exec rm -r {} +
COPY . /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --no-deps /build

FROM ${PYTHON}
LABEL org.opencontainers.image.title="animals: reports" \
      org.opencontainers.image.description="Reports on what people said of the answers." \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PORT=8082 ANIMALS_HOST=0.0.0.0 ANIMALS_BUCKET=/bucket
USER 10001
EXPOSE 8082
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["python", "-m", "animals.monitoring"]
