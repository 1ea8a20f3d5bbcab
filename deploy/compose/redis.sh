#!/bin/sh
# Starts Redis with the password of a secret, which then shows in no list of processes.
set -eu
umask 077
password=$(cat /run/secrets/redis_password)
printf 'requirepass %s\n' "$password" >/tmp/redis.conf
# the queue's keys have no time to live and the cache's have: only the latter may be evicted
exec redis-server /tmp/redis.conf \
    --bind '* -::*' \
    --dir /data \
    --maxmemory "${MILLRACE_REDIS_MAXMEMORY:-256mb}" \
    --maxmemory-policy volatile-lru \
    --appendonly yes \
    --appendfsync everysec \
    --save '' \
    --tcp-keepalive 60
