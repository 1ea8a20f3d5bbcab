"""Functions that a query may not call, though PostgreSQL would let the reader.

They reach beyond the query: to other sessions, to settings (a deadline could be lifted), to locks
and messages that outlive it, or to files and other servers.  The reader's rights stop most of
these as well; this list gives the clearer answer, and covers what no right can be taken from.
"""

import re

from sqlglot import exp

FORBIDDEN = re.compile(
    r"""(
        set_config | setseed | query_to_xml.* | table_to_xml.* | cursor_to_xml.* | schema_to_xml.*
      | database_to_xml.*
      | pg_(terminate|cancel)_backend | pg_notify | pg_(try_)?advisory_.* | pg_export_snapshot
      | pg_log_backend_memory_contexts | pg_reload_conf | pg_rotate_logfile | pg_promote
      | pg_(read|ls|stat|file|write)_.* | pg_(start|stop)_backup | pg_backup_.* | pg_switch_wal
      | pg_create_.* | pg_drop_.* | pg_logical_.* | pg_replication_.* | pg_wal_replay_.*
      | pg_stat_(reset|clear).* | pg_current_logfile | pg_execute_server_program
      | lo_.* | loread | lowrite | dblink.* | postgres_fdw_.* | nextval | setval | currval | lastval
      | txid_current | pg_current_xact_id | pg_prewarm | pg_stat_get_activity
    )""",
    re.VERBOSE,
)


def forbidden_call(tree: exp.Expr) -> str | None:
    """Return the name of the first function in `tree` that may not be called, None for none."""
    for node in tree.find_all(exp.Func):
        if isinstance(node, exp.Anonymous):
            name = node.name.lower()
            if FORBIDDEN.fullmatch(name):
                return name
    return None
