#!/bin/sh
# Makes the passwords that docker-compose.production.yml mounts, in the folder `secrets`: each once,
# by chance, and never again.  What is there stays as it is.
#
#     sh scripts/secrets.sh [FOLDER]
#
# The folder is closed to all others.  The files in it can be read by anybody who gets that far, since
# containers meet them with their owner of the host, and run as other users.
set -eu

folder=${1:-$(dirname "$0")/../secrets}

fail() {
    echo "secrets.sh: $1" >&2
    exit 1
}

umask 077
mkdir -p "$folder" || fail "the folder $folder cannot be made; see above."
chmod 700 "$folder" || fail "the folder $folder is somebody else's; run this as its owner."
cd "$folder"

# 40 letters and digits by chance, about 206 bits
by_chance() {
    LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom 2>/dev/null | head -c 40
}

# Makes the file $1 with the line $2, whole or not at all.
write() {
    printf '%s\n' "$2" >".$1.unfinished"
    chmod 444 ".$1.unfinished"
    mv ".$1.unfinished" "$1"
}

made=
for name in db_admin_password db_password monitor_password redis_password admin_token \
    grafana_password; do
    # Docker makes a folder in place of a file that it should mount and that is not there
    if [ -d "$name" ]; then
        rmdir "$name" || fail "$folder/$name is a folder, and must be a file: remove it."
    fi
    [ -s "$name" ] && continue
    secret=$(by_chance)
    [ "${#secret}" -eq 40 ] || fail "/dev/urandom gave no password."
    write "$name" "$secret"
    made="$made $name"
done

# the exporter wants its password in a list of servers
exporter=redis_exporter_passwords.json
if [ -d "$exporter" ]; then
    rmdir "$exporter" || fail "$folder/$exporter is a folder, and must be a file: remove it."
fi
list="{\"redis://redis:6379\": \"$(cat redis_password)\"}"
if [ "$(cat "$exporter" 2>/dev/null)" != "$list" ]; then
    rm -f "$exporter"
    write "$exporter" "$list"
    made="$made $exporter"
fi

if [ -n "$made" ]; then
    echo "secrets made in $(pwd -P):$made"
else
    echo "secrets are there: $(pwd -P)"
fi
