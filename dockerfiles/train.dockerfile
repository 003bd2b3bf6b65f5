# Training on CPUs: docker build -f dockerfiles/train.dockerfile -t train .
#                   docker run -v "$PWD/data/bucket:/bucket" --user "$(id -u)" train trainer.epochs=5
# What follows the image's name are Hydra overrides. To resume after an interruption, keep the runs:
#                   docker run -v animals:/animals -v ... train trainer.resume=auto
# Torch from the package registry is linked to CUDA's libraries, also where no GPU is: 3.5 GB. With the address of an
# index that has it without them, --build-arg TORCH_INDEX=..., the image has a third of that.
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS libraries
ARG TORCH_INDEX
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/venv
COPY dockerfiles/requirements.txt dockerfiles/slim.py /build/dockerfiles/
COPY requirements.txt /build/
# one step, since a layer keeps what the next one removes
RUN --mount=type=cache,target=/root/.cache/pip \
    if [ -n "$TORCH_INDEX" ]; then \
        sed --in-place --regexp-extended "/^(nvidia-|cuda-|triton==)/d" /build/requirements.txt; \
        export PIP_EXTRA_INDEX_URL="$TORCH_INDEX"; \
    fi && \
    pip --python /opt/venv/bin/python install --no-compile --no-deps --requirement /build/requirements.txt \
    --constraint /build/dockerfiles/requirements.txt dumb-init && \
    python /build/dockerfiles/slim.py /opt/venv \
    filelock google.cloud.storage hydra imagehash matplotlib.pyplot onnx onnxruntime onnxscript pandas \
    pyarrow.parquet pydantic_settings pytorch_lightning requests resvg_py rich.progress safetensors.torch \
    sklearn.metrics scipy.stats timm torch torchvision typer wandb

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
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/animals PYTHONUNBUFFERED=1 HOME=/animals USER=animals ANIMALS_BUCKET=/bucket
USER 10001
# it ends by itself, and says how
HEALTHCHECK NONE
ENTRYPOINT ["dumb-init", "--single-child", "--", "python", "-m", "animals", "train"]
CMD []
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="animals: training" \
      org.opencontainers.image.description="Trains, measures and publishes a model on CPUs." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
