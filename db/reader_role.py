"""The reader's role and rights in PostgreSQL: made if missing, set right if different."""

import logging
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from db.errors import MigrationFailed
from db.reader import reader_password
from db.settings import OWN_SCHEMA, TRACKING_SCHEMA, DatabaseSettings

# pg_roles' column, the value wanted, and how CREATE ROLE and ALTER ROLE say it
_ATTRIBUTES: tuple[tuple[str, object, str], ...] = (
    ("rolcanlogin", True, "LOGIN"),
    ("rolinherit", False, "NOINHERIT"),
    ("rolsuper", False, "NOSUPERUSER"),
    ("rolcreatedb", False, "NOCREATEDB"),
    ("rolcreaterole", False, "NOCREATEROLE"),
    ("rolreplication", False, "NOREPLICATION"),
    ("rolbypassrls", False, "NOBYPASSRLS"),
    ("rolconnlimit", -1, "CONNECTION LIMIT -1"),
)
_ALL_ATTRIBUTES = " ".join(words for _, _, words in _ATTRIBUTES)
PARAMETER_PRIVILEGES = 150_000  # the first version of PostgreSQL that can grant SET on a setting
_RELATIONS = ["r", "p", "v", "m", "f"]  # tables, partitioned, views, materialised, foreign

_logger = logging.getLogger(__name__)


class ReaderRole:
    """Brings the reader's role and rights into the state that docs/database.md describes.

    Changes only what differs: the role belongs to the whole cluster, and migrations of other
    databases may be at it in the same moment.  Run `ensure` in a transaction.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], owner_url: str, settings: DatabaseSettings
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._role = settings.reader_role
        self._password = conninfo_to_dict(owner_url).get("password")
        if settings.reader_url is not None:
            self._role = str(conninfo_to_dict(settings.reader_url).get("user") or self._role)

    def ensure(self) -> None:
        """Create or correct the role, then its rights.

        Raises MigrationFailed with the SQL for an administrator where our rights don't suffice.
        With MILLRACE_READER_URL the role is the operator's: checked, granted rights, not altered.
        """
        self._refuse_owner()
        try:
            if self._settings.reader_url is None:
                self._make_role()
                self._set_defaults()
            self._refuse_power()
            self._grant()
        except psycopg.errors.InsufficientPrivilege as error:
            raise MigrationFailed(self._for_administrator(error)) from error

    def _refuse_owner(self) -> None:
        if self._value("SELECT %s::name IN (current_user, session_user)", self._role):
            raise MigrationFailed(
                f"The reader's role {self._role!r} is the user of DATABASE_URL. Users' SQL must "
                "not run with the owner's rights: give another MILLRACE_READER_ROLE."
            )

    def _make_role(self) -> None:
        row = self._connection.execute(
            f"SELECT {', '.join(column for column, _, _ in _ATTRIBUTES)} "
            "FROM pg_catalog.pg_roles WHERE rolname = %s",
            [self._role],
        ).fetchone()
        if row is None:
            self._run(f"CREATE ROLE {{role}} {_ALL_ATTRIBUTES}")
        else:
            # only a superuser may even say NOSUPERUSER, so only what differs is said
            wrong = [
                words
                for value, (_, wanted, words) in zip(row, _ATTRIBUTES, strict=True)
                if value != wanted
            ]
            if wrong:
                self._run(f"ALTER ROLE {{role}} {' '.join(wrong)}")
        if self._password is not None:
            password = reader_password(str(self._password), self._role)
            # hashed here, so that the password appears in no log of the server
            verifier = self._connection.pgconn.encrypt_password(
                password.encode(), self._role.encode(), b"scram-sha-256"
            )
            self._run("ALTER ROLE {role} PASSWORD {verifier}", verifier=verifier.decode())

    def _set_defaults(self) -> None:
        """Defaults for sessions of the reader that don't come from Millrace."""
        milliseconds = round(self._settings.statement_timeout_s * 1000)
        have = self._value(
            "SELECT coalesce(array_agg(setting), '{}') FROM pg_catalog.pg_db_role_setting s, "
            "unnest(s.setconfig) AS setting WHERE s.setrole = "
            "(SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %s) AND s.setdatabase IN "
            "(0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))",
            self._role,
        )
        if "default_transaction_read_only=on" not in have:
            self._run("ALTER ROLE {role} SET default_transaction_read_only = on")
        if f"statement_timeout={milliseconds}" not in have:
            self._run(
                f"ALTER ROLE {{role}} IN DATABASE {{database}} "
                f"SET statement_timeout = {milliseconds}"
            )
        kilobytes = self._settings.temp_file_limit_mb * 1024
        if kilobytes and f"temp_file_limit={kilobytes}" not in have:
            self._limit_temporary_files(kilobytes)

    def _limit_temporary_files(self, kilobytes: int) -> None:
        """Only who may set it for everybody may set it for the reader; others are told how."""
        statement = (
            f"ALTER ROLE {{role}} IN DATABASE {{database}} SET temp_file_limit = {kilobytes}"
        )
        may = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
        if self._connection.info.server_version >= PARAMETER_PRIVILEGES:
            may = "SELECT has_parameter_privilege('temp_file_limit', 'SET')"
        if self._value(may):
            self._run(statement)
        else:
            _logger.warning(
                "The user of DATABASE_URL may not limit the reader's temporary files. "
                "As an administrator: %s;", self._text(statement),
            )  # fmt: skip

    def _refuse_power(self) -> None:
        row = self._connection.execute(
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls, "
            "ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_auth_members m "
            "JOIN pg_catalog.pg_roles r ON r.oid = m.roleid WHERE m.member = pg_roles.oid) "
            "FROM pg_catalog.pg_roles WHERE rolname = %s",
            [self._role],
        ).fetchone()
        if row is None:
            raise MigrationFailed(
                f"The role {self._role!r} of MILLRACE_READER_URL does not exist. Create it:\n"
                + self._sql_for_role()
            )
        powerful, memberships = row
        if powerful:
            raise MigrationFailed(
                f"The reader's role {self._role!r} has more than the right to log in. "
                f"As an administrator:\n{self._text(f'ALTER ROLE {{role}} {_ALL_ATTRIBUTES};')}"
            )
        if memberships:
            revoke = [
                self._text("REVOKE {other} FROM {role};", other=other) for other in memberships
            ]
            raise MigrationFailed(
                f"The reader's role {self._role!r} is a member of {', '.join(memberships)}, and "
                "users' SQL could take on their rights. As an administrator:\n" + "\n".join(revoke)
            )

    def _grant(self) -> None:
        schema = self._settings.schema_name
        if self._value("SELECT pg_catalog.to_regnamespace(quote_ident(%s)) IS NULL", schema):
            raise MigrationFailed(
                f"The schema {schema!r} (MILLRACE_SCHEMA) does not exist in this database."
            )
        if not self._value(
            "SELECT has_database_privilege(%s::name, current_database(), 'CONNECT')", self._role
        ):
            self._run("GRANT CONNECT ON DATABASE {database} TO {role}")
        if not self._value(
            "SELECT has_schema_privilege(%s::name, %s, 'USAGE')", self._role, schema
        ):
            self._run("GRANT USAGE ON SCHEMA {schema} TO {role}")
        self._run("ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}")
        self._grant_tables(schema)
        if self._value(
            "SELECT has_schema_privilege(%s::name, %s, 'USAGE, CREATE')", self._role, OWN_SCHEMA
        ):
            self._run("REVOKE ALL ON SCHEMA {own} FROM PUBLIC, {role}")
        self._grant_clean_check()

    def _grant_clean_check(self) -> None:
        """Let the reader ask which segments are clean; the tables that tell it stay ours."""
        check = f"{TRACKING_SCHEMA}.check_segments(oid[])"
        if not self._value(
            "SELECT has_schema_privilege(%s::name, %s, 'USAGE')", self._role, TRACKING_SCHEMA
        ):
            self._run("GRANT USAGE ON SCHEMA {tracking} TO {role}")
        if not self._value(
            "SELECT has_function_privilege(%s::name, %s, 'EXECUTE')", self._role, check
        ):
            self._run(f"GRANT EXECUTE ON FUNCTION {check} TO {{role}}")

    def _grant_tables(self, schema: str) -> None:
        rows = self._connection.execute(
            "SELECT c.relname, pg_has_role(c.relowner, 'USAGE') "
            "OR has_table_privilege(c.oid, 'SELECT WITH GRANT OPTION') "
            "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind::text = ANY(%s) "
            "AND NOT has_table_privilege(%s::name, c.oid, 'SELECT') ORDER BY c.relname",
            [schema, _RELATIONS, self._role],
        ).fetchall()
        ours = [sql.Identifier(schema, name) for name, may_grant in rows if may_grant]
        others = [name for name, may_grant in rows if not may_grant]
        if ours:
            self._connection.execute(
                sql.SQL("GRANT SELECT ON {tables} TO {role}").format(
                    tables=sql.SQL(", ").join(ours), role=sql.Identifier(self._role)
                )
            )
        if others:
            _logger.warning(
                "%d tables of schema %s belong to other roles and stay unreadable: %s",
                len(others), schema, ", ".join(others),
            )  # fmt: skip

    def _for_administrator(self, error: psycopg.Error) -> str:
        return (
            f"The user of DATABASE_URL may not set up the reader's role: {str(error).strip()}\n"
            f"Let an administrator run:\n{self._sql_for_role()}\n"
            "and give its URL as MILLRACE_READER_URL, then migrate again."
        )

    def _sql_for_role(self) -> str:
        statements = (
            f"CREATE ROLE {{role}} {_ALL_ATTRIBUTES} PASSWORD 'choose one';",
            "ALTER ROLE {role} SET default_transaction_read_only = on;",
            "GRANT CONNECT ON DATABASE {database} TO {role};",
            "GRANT USAGE ON SCHEMA {schema} TO {role};",
            "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};",
        )
        return "\n".join(self._text(statement) for statement in statements)

    def _run(self, statement: str, **literals: str) -> None:
        self._connection.execute(self._composed(statement, **literals))

    def _text(self, statement: str, other: str = "") -> str:
        return self._composed(statement, other=other).as_string(self._connection)

    def _composed(self, statement: str, other: str = "", verifier: str = "") -> sql.Composed:
        return sql.SQL(cast("Any", statement)).format(
            role=sql.Identifier(self._role),
            schema=sql.Identifier(self._settings.schema_name),
            own=sql.Identifier(OWN_SCHEMA),
            tracking=sql.Identifier(TRACKING_SCHEMA),
            database=sql.Identifier(self._connection.info.dbname),
            other=sql.Identifier(other or OWN_SCHEMA),
            verifier=sql.Literal(verifier),
        )

    def _value(self, query: str, *parameters: str) -> Any:
        row = self._connection.execute(cast("Any", query), parameters).fetchone()
        return row[0] if row else None
