#!/bin/sh
# Run once, by the official image, when the cluster is made: Millrace's own user, who owns the
# database and is no superuser, and the exporter's, who may see statistics and no data.
set -eu

owner_password=$(cat /run/secrets/db_password)
monitor_password=$(cat /run/secrets/monitor_password)

# through the environment and \getenv: arguments show in the list of processes
export owner_password monitor_password
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv owner_password owner_password
\getenv monitor_password monitor_password
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
-- it makes the reader's role, and limits its temporary files
CREATE ROLE millrace LOGIN CREATEROLE PASSWORD :'owner_password';
GRANT SET ON PARAMETER temp_file_limit TO millrace;
CREATE DATABASE millrace OWNER millrace;
CREATE ROLE millrace_monitor LOGIN PASSWORD :'monitor_password' CONNECTION LIMIT 5;
GRANT pg_monitor, pg_use_reserved_connections TO millrace_monitor;
\connect millrace
REVOKE ALL ON DATABASE millrace FROM PUBLIC;
GRANT CONNECT ON DATABASE millrace TO millrace_monitor;
SQL
