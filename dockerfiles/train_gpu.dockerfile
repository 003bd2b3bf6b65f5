# Training on NVIDIA GPUs: docker build -f dockerfiles/train_gpu.dockerfile -t train_gpu .
#                          docker run --gpus all --shm-size 2g -v "$PWD/data/bucket:/bucket" --user "$(id -u)" train_gpu
# What follows the image's name are Hydra overrides, as for train.dockerfile. CUDA's libraries come with torch, the
# driver from the machine, by NVIDIA's container runtime.
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS libraries
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/venv
COPY dockerfiles/requirements.txt /build/dockerfiles/
COPY requirements.txt /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --requirement /build/requirements.txt \
    --constraint /build/dockerfiles/requirements.txt dumb-init

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

FROM libraries
COPY --from=code /opt/animals /opt/animals
# any user id works; runs and pictures are here, so mount a volume to resume
RUN mkdir --mode=1777 /animals
WORKDIR /animals
VOLUME /animals
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/animals PYTHONUNBUFFERED=1 HOME=/animals USER=animals ANIMALS_BUCKET=/bucket \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001
# it ends by itself, and says how
HEALTHCHECK NONE
ENTRYPOINT ["dumb-init", "--single-child", "--", "python", "-m", "animals", "train"]
CMD []
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="animals: training on GPUs" \
      org.opencontainers.image.description="Trains, measures and publishes a model on NVIDIA GPUs." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
