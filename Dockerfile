# The bridge, and with it the whole `peerwatt` command. Build: docker build -t peerwatt .
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY client ./client
COPY api ./api
RUN python -m venv /opt/peerwatt \
    && /opt/peerwatt/bin/pip install --no-cache-dir '.[bridge,agent]' -c constraints.txt

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 peerwatt && mkdir /data && chown peerwatt /data
COPY --from=build /opt/peerwatt /opt/peerwatt
ENV PATH=/opt/peerwatt/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PEERWATT_BRIDGE_HOST=0.0.0.0 \
    PEERWATT_BRIDGE_DATABASE=sqlite:////data/bridge.db \
    PEERWATT_BRIDGE_DEPLOYMENT=/data/deployment.json
USER peerwatt
WORKDIR /data
VOLUME /data
EXPOSE 8750
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8750/healthz', timeout=4)"]
CMD ["peerwatt-bridge", "serve", "--migrate"]
