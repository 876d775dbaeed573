# One image for every process of the platform; docker-compose.yml says which one a container is. No secret is in it:
# settings come from the environment. The packages are exactly those of uv.lock, as in ./run_all.sh.

FROM python:3.13-slim AS build
ARG UV_VERSION=0.13.9
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
RUN pip install --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"
WORKDIR /srv/livebeat
COPY pyproject.toml uv.lock README.md LICENSE CHANGELOG.md ./
RUN uv sync --frozen --no-dev --no-install-project
COPY backend backend
RUN uv sync --frozen --no-dev

FROM python:3.13-slim
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin livebeat \
    && install -d -m 0700 -o livebeat -g livebeat /var/lib/livebeat /run/livebeat
COPY --from=build /srv/livebeat /srv/livebeat
WORKDIR /srv/livebeat
# REMAP_SIGTERM: to a Celery worker SIGTERM is to mean its soft shutdown; the other processes don't read it.
ENV PATH=/srv/livebeat/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LIVEBEAT_DATA_DIR=/var/lib/livebeat \
    REMAP_SIGTERM=SIGQUIT
USER livebeat
# api, beat, worker, consumer, recorder, bridge: the same command lines as ./run_*.sh
ENTRYPOINT ["python", "-m", "launcher", "run"]
CMD ["api"]
