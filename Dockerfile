# An image of its own size: what builds stays behind. A tag gets security fixes; a digest is the same for ever:
# docker build --build-arg PYTHON=python:3.13-slim-bookworm@sha256:… --build-arg NODE=node:24-bookworm-slim@sha256:… .
ARG PYTHON=python:3.13-slim-bookworm
ARG NODE=node:24-bookworm-slim

FROM ${NODE} AS page
WORKDIR /page
COPY app/web/package.json app/web/package-lock.json app/web/.npmrc ./
RUN npm ci
COPY app/web ./
RUN npm run build

FROM ${PYTHON} AS libraries
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/netlet \
 && pip --python /opt/netlet/bin/python install --no-deps --require-hashes --only-binary :all: -r requirements.lock \
 && find /opt/netlet -path '*/pyarrow/include' -prune -exec rm -r {} + \
 && find /opt/netlet \( -name tests -o -name '*_flight*' -o -name '*_s3*' -o -name '*_substrait*' \) -prune -exec rm -r {} +

FROM libraries AS netlet
RUN python -m venv /tools && /tools/bin/pip install --no-deps --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY app ./app
COPY --from=page /page/built ./app/web/built
RUN NETLET_SKIP_WEB=1 /tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip --python /opt/netlet/bin/python install --no-deps --no-index --prefix /netlet /wheels/*.whl

FROM ${PYTHON}
RUN pip uninstall --yes pip \
 && groupadd --system --gid 10001 netlet \
 && useradd --system --uid 10001 --gid netlet --home-dir /var/lib/netlet --shell /usr/sbin/nologin netlet \
 && install -d -o netlet -g netlet -m 700 /var/lib/netlet
# One layer for what others wrote, which changes seldom, and one for netlet.
COPY --from=libraries /opt/netlet /opt/netlet
COPY --from=netlet /netlet /opt/netlet

USER 10001:10001
WORKDIR /var/lib/netlet
ENV PATH=/opt/netlet/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib
ENV NETLET_MODELS=/var/lib/netlet NETLET_HOST=0.0.0.0 NETLET_PORT=8000
VOLUME /var/lib/netlet
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['NETLET_PORT'] + '/readyz', timeout=4)"]
CMD ["netlet", "serve"]
