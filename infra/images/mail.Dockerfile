# The mail servers of one's own: Postfix, Dovecot and OpenDKIM, one process of them per container.
#
#   docker build --file infra/images/mail.Dockerfile --tag postbus-mail .

FROM debian:12-slim
LABEL org.opencontainers.image.title="Postbus: mail servers" \
      org.opencontainers.image.vendor="Postbus" \
      org.opencontainers.image.licenses="GPL-3.0-or-later"
# Debian's own, which its security team keeps; the tests run these files with the same. Dovecot 2.4
# (Debian 13) reads another configuration.
# hadolint ignore=DL3008,DL4006
RUN echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates dovecot-imapd dovecot-lmtpd dovecot-managesieved dovecot-pop3d \
        dovecot-sieve gettext-base opendkim opendkim-tools postfix \
    && rm -rf /var/lib/apt/lists/* /etc/ssl/private/* \
    && groupadd --gid 5000 vmail \
    && useradd --uid 5000 --gid 5000 --no-create-home --home-dir /mail/boxes \
        --shell /usr/sbin/nologin vmail \
    && install --directory --mode 0755 /certs /mail /mail/config \
    && install --directory --mode 1777 /mail/sockets \
    && install --directory --owner vmail --group vmail --mode 0700 /mail/boxes
COPY infra/certs/on-change /usr/share/postbus/certs/on-change
COPY infra/mail /usr/share/postbus/mail
COPY infra/postfix /usr/share/postbus/postfix
COPY infra/dovecot /usr/share/postbus/dovecot
COPY infra/opendkim /usr/share/postbus/opendkim
RUN chmod -R a+rX,go-w /usr/share/postbus \
    && chmod 755 /usr/share/postbus/certs/on-change /usr/share/postbus/*/start \
        /usr/share/postbus/mail/*
