# The door: nginx, and the webmail that it serves.
#
#   docker build --file infra/images/nginx.Dockerfile --tag postbus-nginx .

ARG NODE=24

FROM node:${NODE}-slim AS webmail
WORKDIR /web
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
COPY web/index.html web/tsconfig.json web/vite.config.ts ./
COPY web/public public
COPY web/src src
RUN npm run build && chmod -R a+rX,go-w dist

# Debian's own nginx, which its security team keeps; the tests run these files with the same.
FROM debian:12-slim
LABEL org.opencontainers.image.title="Postbus: nginx and the webmail" \
      org.opencontainers.image.vendor="Postbus" \
      org.opencontainers.image.licenses="GPL-3.0-or-later"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl gettext-base nginx-light \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 postbus \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin postbus
COPY infra/certs/on-change /usr/share/postbus/certs/on-change
COPY infra/nginx /usr/share/postbus/nginx
COPY --from=webmail /web/dist /usr/share/postbus/webmail
RUN chmod -R a+rX,go-w /usr/share/postbus \
    && chmod 755 /usr/share/postbus/certs/on-change /usr/share/postbus/nginx/start
USER 10001:10001
STOPSIGNAL SIGQUIT
CMD ["/usr/share/postbus/nginx/start"]
