FROM node:24-slim AS page
WORKDIR /page
COPY app/web/package.json app/web/package-lock.json app/web/.npmrc ./
RUN npm ci
COPY app/web ./
RUN npm run build

FROM python:3.13-slim

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /srv/netlet

# One layer for what others wrote, which changes seldom …
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock \
 && useradd --system --uid 10001 --home-dir /srv/netlet netlet \
 && install -d -o netlet -g netlet -m 700 /var/lib/netlet

# … and one for netlet.
COPY pyproject.toml README.md LICENSE ./
COPY app ./app
COPY --from=page /page/built ./app/web/built
RUN NETLET_SKIP_WEB=1 pip install --no-deps --no-build-isolation .

USER 10001
ENV NETLET_MODELS=/var/lib/netlet NETLET_HOST=0.0.0.0 NETLET_PORT=8000
VOLUME /var/lib/netlet
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['NETLET_PORT'] + '/readyz', timeout=2)"]
CMD ["netlet", "serve"]
