# The backend: docker build -f dockerfiles/api.dockerfile -t api .
#              docker run -p 8080:8080 -v "$PWD/data/bucket:/bucket" --user "$(id -u)" api
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/venv
COPY requirements_backend.txt /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --requirement /build/requirements_backend.txt
# a second copy of ONNX Runtime, for programs in C
RUN rm /opt/venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.*
COPY . /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --no-deps /build

FROM ${PYTHON}
LABEL org.opencontainers.image.title="animals: backend" \
      org.opencontainers.image.description="Says what is on a picture." \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PORT=8080 ANIMALS_HOST=0.0.0.0 ANIMALS_BUCKET=/bucket
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["python", "-m", "animals.serving"]
