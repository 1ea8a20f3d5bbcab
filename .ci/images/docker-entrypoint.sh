#!/bin/sh
# Makes the cluster where there is none, as the official image does it: a superuser with a password, the
# scripts of /docker-entrypoint-initdb.d against a server that only its socket reaches, then the command.
set -eu

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    # shellcheck disable=SC2086  # they are several words
    initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust \
        --auth-host=scram-sha-256 $POSTGRES_INITDB_ARGS
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    for script in /docker-entrypoint-initdb.d/*.sh; do
        # shellcheck disable=SC1090  # whatever is mounted there
        if [ -x "$script" ]; then "$script"; else . "$script"; fi
    done
    pg_ctl --wait --mode=fast stop
fi
exec "$@"
