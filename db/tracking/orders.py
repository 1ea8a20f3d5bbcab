"""What operators want accelerated: said at once by anybody, carried out by the keepers.

An order stays after it was carried out, so that a table whose tracking breaks is installed anew.
"""

from dataclasses import dataclass

from db.pool import Connection, Row

_ORDER = """INSERT INTO millrace.acceleration_orders (schema_name, table_name) VALUES ($1, $2)
ON CONFLICT (schema_name, table_name) DO UPDATE
   SET is_wanted = true, due_at = now(), attempts = 0, code = NULL, problem = NULL"""
_ORDER_ONCE = """INSERT INTO millrace.acceleration_orders (schema_name, table_name) VALUES ($1, $2)
ON CONFLICT (schema_name, table_name) DO NOTHING"""
# also what was accelerated without an order
_CANCEL = """INSERT INTO millrace.acceleration_orders (schema_name, table_name, is_wanted)
SELECT schema_name, table_name, false FROM millrace.accelerated_tables
 WHERE schema_name = $1 AND table_name = $2
 UNION SELECT schema_name, table_name, false FROM millrace.acceleration_orders
 WHERE schema_name = $1 AND table_name = $2
ON CONFLICT (schema_name, table_name) DO UPDATE
   SET is_wanted = false, due_at = now(), attempts = 0, code = NULL, problem = NULL
RETURNING 1"""
_TAKE_DUE = """UPDATE millrace.acceleration_orders AS o
   SET due_at = now() + make_interval(secs => $1::float8)
  FROM (SELECT p.schema_name, p.table_name FROM millrace.acceleration_orders p
          LEFT JOIN millrace.accelerated_tables a USING (schema_name, table_name)
         WHERE p.due_at <= now() AND (NOT p.is_wanted OR a.id IS NULL
               OR millrace.tracking_problem(a.relation) IS NOT NULL)
           FOR UPDATE OF p SKIP LOCKED) AS due
 WHERE o.schema_name = due.schema_name AND o.table_name = due.table_name
RETURNING o.schema_name, o.table_name, o.is_wanted::int, o.attempts, o.code, o.problem"""
_CARRIED_OUT = """UPDATE millrace.acceleration_orders
   SET due_at = now(), attempts = 0, code = NULL, problem = NULL
 WHERE schema_name = $1 AND table_name = $2"""
_REMOVED = """DELETE FROM millrace.acceleration_orders
 WHERE schema_name = $1 AND table_name = $2 AND NOT is_wanted"""
_PUT_OFF = """UPDATE millrace.acceleration_orders
   SET attempts = attempts + 1, code = $3, problem = $4,
       due_at = now() + make_interval(secs => $5::float8)
 WHERE schema_name = $1 AND table_name = $2"""
_FIND = """SELECT schema_name, table_name, is_wanted::int, attempts, code, problem
  FROM millrace.acceleration_orders"""

_IS_ANY = """SELECT EXISTS (SELECT FROM millrace.acceleration_orders)
    OR EXISTS (SELECT FROM millrace.accelerated_tables)"""


@dataclass(frozen=True)
class Order:
    """An order; `attempts` have failed in a row, the last one for the reason `problem`."""

    schema: str
    name: str
    is_wanted: bool
    attempts: int
    code: str | None
    problem: str | None


def order(connection: Connection, schema: str, name: str) -> None:
    """Want a table accelerated."""
    connection.execute(_ORDER, [schema, name])


def order_once(connection: Connection, schema: str, name: str) -> None:
    """Want it, unless there is an order of it, whatever it says."""
    connection.execute(_ORDER_ONCE, [schema, name])


def cancel(connection: Connection, schema: str, name: str) -> bool:
    """Want it no more; whether there is anything to remove."""
    return connection.execute(_CANCEL, [schema, name]).fetchone() is not None


def take_due(connection: Connection, lease_s: float) -> list[Order]:
    """Return the orders that want something done, which nobody else gets for so long."""
    return [_order(row) for row in connection.execute(_TAKE_DUE, [str(lease_s)])]


def carried_out(connection: Connection, done: Order) -> None:
    """Note that an order was carried out."""
    connection.execute(_CARRIED_OUT if done.is_wanted else _REMOVED, [done.schema, done.name])


def put_off(connection: Connection, failed: Order, code: str, problem: str, wait_s: float) -> None:
    """Note why an order was not, and try again after so long."""
    values = [failed.schema, failed.name, code, problem, str(wait_s)]
    connection.execute(_PUT_OFF, values)


def orders(connection: Connection) -> list[Order]:
    """Return all orders."""
    return [_order(row) for row in connection.execute(_FIND)]


def is_any_work(connection: Connection) -> bool:
    """Tell whether anything is accelerated, or is to be."""
    row = connection.execute(_IS_ANY).fetchone()
    return row is not None and row[0] == "t"


def _order(row: Row) -> Order:
    return Order(str(row[0]), str(row[1]), row[2] == "1", int(str(row[3])), row[4], row[5])
