# The web page: docker build -f dockerfiles/frontend.dockerfile -t frontend .
#               docker run -p 8501:8501 -e ANIMALS_BACKEND=http://api:8080 frontend
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/venv
COPY requirements_frontend.txt /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --requirement /build/requirements_frontend.txt
# the largest libraries' own tests
RUN cd /opt/venv/lib/python3*/site-packages && find pandas pyarrow -depth -type d -name tests -exec rm -r {} +
COPY . /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --no-deps /build

FROM ${PYTHON}
LABEL org.opencontainers.image.title="animals: page" \
      org.opencontainers.image.description="The web page that asks the backend." \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PORT=8501 ANIMALS_HOST=0.0.0.0
USER 10001
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/_stcore/health', timeout=4)"]
CMD ["python", "-m", "animals.frontend"]
