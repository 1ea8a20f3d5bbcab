"""Dates and times, in sessions whose time zone is UTC."""

from calendar import monthrange
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlglot import exp

from query.columnar.context import Context, raises, refuse
from query.columnar.kinds import TEMPORAL, Kind, numeric
from query.columnar.values import UNKNOWN, Value, constant, failing, read, string

DATE, TIMESTAMP = Kind("date"), Kind("timestamp")
MONTHS = {"month": 1, "mon": 1, "year": 12, "quarter": 3}
SECONDS = {"second": 1, "minute": 60, "hour": 3600}
DAYS = {"day": 1, "week": 7}
MOST_UNITS = 9_999
MOST_DAYS = 9_999

FIELDS = frozenset({
    "year", "quarter", "month", "day", "dow", "isodow", "doy", "week", "isoyear",
})  # fmt: skip
TIME_FIELDS = frozenset({"hour", "minute"})
TRUNCATED_TO = frozenset({
    "year", "quarter", "month", "week", "day", "hour", "minute", "second",
})  # fmt: skip
OUT_OF_REACH = "a year that is not from 1 to 9999"
FIELD_DIGITS = 5


def in_reach(sql: str) -> str:
    """Return the condition that a date or time is of a year from 1 to 9999: no BC, no infinity."""
    return f"{sql} >= DATE '0001-01-01' AND {sql} < DATE '10000-01-01'"


def checked(sql: str, kind: Kind) -> str:
    """Return a date or time that raises where it is out of reach; what it repeats runs once."""
    otherwise = failing(OUT_OF_REACH, sql, kind.duckdb)
    return f"(CASE WHEN {sql} IS NULL OR {in_reach(sql)} THEN {sql} ELSE {otherwise} END)"


def days_between(left: Value, right: Value, context: Context) -> Value:
    """Render the difference of two dates."""
    context.use("days between")
    return Value(f"CAST({left.sql} - {right.sql} AS INTEGER)", Kind("int4"), raises(left, right))


def shifted(node: exp.Expr, day: Value, days: Value, context: Context) -> Value:
    """Render date + integer and date - integer."""
    if days.kind.name not in ("int2", "int4") or not isinstance(days.constant, int):
        refuse(node, "only a constant number of days is on the list")
    if abs(days.constant) > MOST_DAYS:
        refuse(node, f"more than {MOST_DAYS} days are not on the list")
    context.use("date and days")
    count = days.constant if isinstance(node, exp.Add) else -days.constant
    if isinstance(day.constant, date):
        try:
            return constant(day.constant + timedelta(days=count), DATE)
        except OverflowError:
            refuse(node, "it leads beyond the year 9999, or before 1")
    return Value(checked(f"({checked(day.sql, DATE)} + {count})", DATE), DATE, day.raises)


def with_interval(node: exp.Expr, context: Context) -> Value:
    """Render date or time ± interval."""
    interval = node.expression
    moment = context.typed(node.this)
    if moment.kind.name not in TEMPORAL:
        refuse(node, "an interval is added to dates and times alone")
    context.use("interval")
    kind = TIMESTAMP if moment.kind.name == "date" else moment.kind
    count, unit = _interval(interval)
    count = count if isinstance(node, exp.Add) else -count
    if isinstance(moment.constant, date):
        try:
            return constant(_moved(moment.constant, count, unit), kind)
        except (OverflowError, ValueError):
            refuse(node, "it leads beyond the year 9999, or before 1")
    months, days, seconds = _parts(count, unit)
    sql = f"to_months({months})" if months else f"to_days({days})"
    if seconds:
        sql = f"to_seconds({seconds})"
    moved = f"(CAST({checked(moment.sql, moment.kind)} AS TIMESTAMP) + {sql})"
    return Value(checked(moved, kind), kind, moment.raises)


def _interval(node: exp.Expr) -> tuple[int, str]:
    amount, unit = node.args.get("this"), node.args.get("unit")
    text = str(amount.this) if isinstance(amount, exp.Literal) else ""
    name = str(unit.this).lower().removesuffix("s") if isinstance(unit, exp.Var) else ""
    if not text.lstrip("-").isdigit() or len(text) > 5 or not {name} & {*MONTHS, *SECONDS, *DAYS}:
        refuse(node, "only intervals of a whole number of one unit are on the list")
    if abs(int(text)) > MOST_UNITS:
        refuse(node, f"an interval of more than {MOST_UNITS} units is not on the list")
    return int(text), name


def _parts(count: int, unit: str) -> tuple[int, int, int]:
    """Return months, days and seconds, one of which is not zero unless the count is."""
    months = count * MONTHS.get(unit, 0)
    return months, count * DAYS.get(unit, 0), count * SECONDS.get(unit, 0)


def _moved(moment: date, count: int, unit: str) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - UTC throughout
    months, days, seconds = _parts(count, unit)
    place = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(place, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    moved = moment.replace(year=year, month=month + 1, day=day)
    return moved + timedelta(days=days, seconds=seconds)


def extract(node: exp.Expr, context: Context) -> Value:
    """Render EXTRACT: a numeric without digits behind the point."""
    name = str(node.this.this).lower() if isinstance(node.this, exp.Var) else ""
    moment = context.typed(node.expression)
    allowed = FIELDS if moment.kind.name == "date" else FIELDS | TIME_FIELDS
    if moment.kind.name not in TEMPORAL or name not in allowed:
        refuse(node, "such a field is not on the list")
    context.use("extract")
    kind = numeric(FIELD_DIGITS, 0)
    sql = f"CAST(extract({name} FROM {checked(moment.sql, moment.kind)}) AS {kind.duckdb})"
    return Value(sql, kind, moment.raises)


def truncated(node: exp.Expr, unit: Value, moment: Value, context: Context) -> Value:
    """Render date_trunc(unit, date or time)."""
    name = str(unit.constant).lower()
    if moment.kind.name not in TEMPORAL or name not in TRUNCATED_TO:
        refuse(node, "such a unit is not on the list")
    context.use("date_trunc")
    kind = Kind("timestamptz") if moment.kind.name == "date" else moment.kind
    sql = f"CAST(date_trunc({string(name)}, {checked(moment.sql, moment.kind)}) AS TIMESTAMP)"
    return Value(sql, kind, moment.raises)


def to_time(node: exp.Expr, value: Value, kind: Kind, context: Context) -> Value:
    """Render a cast to a date or time."""
    if value.kind == UNKNOWN:
        found = read(str(value.constant), kind)
        return found if found is not None else refuse(node, "not a date or time of a plain form")
    if value.kind.name not in TEMPORAL:
        refuse(node, f"a cast from {value.kind.name} is not on the list")
    context.use("cast of time")
    if value.kind.name == kind.name:
        return value
    if isinstance(value.constant, date):
        return constant(_as(value.constant, kind), kind)
    return replace(value, sql=f"CAST({checked(value.sql, value.kind)} AS {kind.duckdb})", kind=kind)


def _as(value: date, kind: Kind) -> date:
    if kind.name == "date":
        return value.date() if isinstance(value, datetime) else value
    moment = value if isinstance(value, datetime) else None
    return moment or datetime(value.year, value.month, value.day)  # noqa: DTZ001 - UTC
