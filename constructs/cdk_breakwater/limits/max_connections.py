"""How many connections a server allows, from its engine and size."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from .engines import DatabaseEngine
from .parameter_formula import FormulaError, UnknownVariableError, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

_REMEDY = "Pass max_connections=…, or set max_connections in the database's own parameter group."


@dataclass(frozen=True)
class MaxConnections:
    """A server's limit of connections, and how it is known.

    Parameters
    ----------
    value
        The limit.
    basis
        What it rests on, for tables and annotations.
    estimated
        Whether the true limit may be higher.
    stated
        Whether the app's own template sets it.
    """

    value: int
    basis: str
    estimated: bool = False
    stated: bool = False


class UnknownMaxConnections(ValueError):  # noqa: N818 -- it names a state of knowledge
    """Nothing says how many connections a server allows; the message says what to do.

    Attributes
    ----------
    problem, remedy
        The two sentences of the message.
    """

    def __init__(self, problem: str, remedy: str = _REMEDY) -> None:
        super().__init__(f"{problem} {remedy}".rstrip())
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True)
class _Parameter:
    name: str
    minimum: int
    maximum: int
    default: str = ""


# Defaults and ranges: Amazon RDS User Guide, "Quotas and constraints". Aurora: Aurora User Guide, "Managing
# performance"; it gives no range for Aurora PostgreSQL, so PostgreSQL's own stands here (pg_settings).
# Aurora MySQL's default is a table, not to be computed.
_PARAMETERS = {
    DatabaseEngine.MYSQL: _Parameter("max_connections", 1, 100_000, "{DBInstanceClassMemory/12582880}"),
    DatabaseEngine.MARIADB: _Parameter("max_connections", 1, 100_000, "LEAST({DBInstanceClassMemory/25165760},12000)"),
    DatabaseEngine.POSTGRESQL: _Parameter("max_connections", 6, 262_143, "LEAST({DBInstanceClassMemory/9531392},5000)"),
    DatabaseEngine.AURORA_MYSQL: _Parameter("max_connections", 1, 16_000),
    DatabaseEngine.AURORA_POSTGRESQL: _Parameter(
        "max_connections", 1, 262_143, "LEAST({DBInstanceClassMemory/9531392},5000)"
    ),
    DatabaseEngine.ORACLE: _Parameter("processes", 80, 20_000, "LEAST({DBInstanceClassMemory/9868951},20000)"),
    DatabaseEngine.SQL_SERVER: _Parameter("user connections", 0, 32_767),
}
_MARIADB_BEFORE_10_5 = "{DBInstanceClassMemory/12582880}"
_AURORA_MYSQL_DEFAULT = (
    "GREATEST({log(DBInstanceClassMemory/805306368)*45},{log(DBInstanceClassMemory/8187281408)*1000})"
)

# Rows: maximum ACU, Aurora MySQL, Aurora PostgreSQL. Source: Aurora User Guide, "Performance and scaling for Aurora
# Serverless v2", maximum connections.
_SERVERLESS_V2 = (
    (1, 90, 189),
    (4, 135, 823),
    (8, 1000, 1669),
    (16, 2000, 3360),
    (32, 3000, 5000),
    (64, 4000, 5000),
    (128, 5000, 5000),
    (192, 6000, 5000),
    (256, 6000, 5000),
)
# The cap for a minimum capacity of 0 or 0.5 ACU. Source: the same page.
_SERVERLESS_V2_POSTGRESQL_CAP = 2000


def parameter_name(engine: DatabaseEngine) -> str:
    """Name the parameter that limits connections: Oracle's and SQL Server's are not called `max_connections`."""
    return _PARAMETERS[engine].name if engine in _PARAMETERS else "max_connections"


def for_instance_class(
    engine: DatabaseEngine, instance_class: str, engine_version: str | None = None
) -> MaxConnections:
    """Find the default limit of an instance.

    Aurora MySQL's is in a table. The others' follows from memory that only the instance itself knows; it is estimated
    from the class's nominal memory, so that it never exceeds one that was observed.

    Parameters
    ----------
    engine
        The engine.
    instance_class
        The class, such as ``db.t4g.micro`` or ``t4g.micro``.
    engine_version
        Matters for MariaDB: before 10.5 its default is twice as high.

    Raises
    ------
    UnknownMaxConnections
        The class or the engine is not in AWS's tables.
    """
    name = _class_name(instance_class)
    if engine is DatabaseEngine.AURORA_MYSQL:
        table = _column("aurora_mysql_max_connections.csv", "max_connections")
        if name not in table:
            raise UnknownMaxConnections(f"Aurora MySQL's table of max_connections has no class {name!r}.")
        return MaxConnections(int(table[name]), f"Aurora MySQL's table for {name}")
    if engine is DatabaseEngine.SQL_SERVER:
        return MaxConnections(_PARAMETERS[engine].maximum, "SQL Server's maximum, its default is unlimited")
    if engine not in _PARAMETERS:
        raise UnknownMaxConnections(f"The connections of {engine.value} don't follow from {name!r}.", _remedy(engine))
    return _estimate(engine, _default(engine, engine_version), name, f"{name}'s memory")


def most_for_instance_class(
    engine: DatabaseEngine, instance_class: str, engine_version: str | None = None
) -> MaxConnections:
    """Find what the default limit of an instance can't exceed: as if nothing else took of the class's memory.

    Parameters and errors are those of `for_instance_class`, from whose limit it differs only where that is estimated.
    """
    found = for_instance_class(engine, instance_class, engine_version)
    if not found.estimated:
        return found
    name = _class_name(instance_class)
    return _estimate(engine, _default(engine, engine_version), name, f"{name}'s full memory", _nominal_memory)


def _default(engine: DatabaseEngine, version: str | None) -> str:
    if engine is DatabaseEngine.MARIADB and _older_than_10_5(version):
        return _MARIADB_BEFORE_10_5
    return _PARAMETERS[engine].default


def for_serverless_v2(engine: DatabaseEngine, max_acu: float, min_acu: float | None = None) -> MaxConnections:
    """Find the limit of an Aurora Serverless v2 instance.

    Parameters
    ----------
    engine
        Aurora MySQL or Aurora PostgreSQL.
    max_acu
        The cluster's maximum capacity, 1 to 256 ACU. Between two rows of AWS's table the lower one counts.
    min_acu
        The cluster's minimum capacity. 0 and 0.5 ACU cap Aurora PostgreSQL at 2,000; so does None, which stands for
        not known.

    Raises
    ------
    UnknownMaxConnections
        Another engine, or a capacity beyond AWS's table.
    """
    if engine not in (DatabaseEngine.AURORA_MYSQL, DatabaseEngine.AURORA_POSTGRESQL):
        raise UnknownMaxConnections(f"Serverless v2 is Aurora's, not of {engine.value}.", _remedy(engine))
    if not _SERVERLESS_V2[0][0] <= max_acu <= _SERVERLESS_V2[-1][0]:
        raise UnknownMaxConnections(f"The maximum capacity must be between 1 and 256 ACU (given {max_acu:g}).")
    if min_acu is not None and not 0 <= min_acu <= max_acu:
        raise UnknownMaxConnections(f"The minimum capacity must be between 0 and {max_acu:g} ACU (given {min_acu:g}).")
    acu, mysql, postgresql = next(row for row in reversed(_SERVERLESS_V2) if row[0] <= max_acu)
    row = "" if acu == max_acu else f", the next row below {max_acu:g}"
    basis = f"Aurora's table for a maximum of {acu} ACU{row}"
    if engine is DatabaseEngine.AURORA_MYSQL:
        return MaxConnections(mysql, basis)
    if (min_acu is None or min_acu < 1) and postgresql > _SERVERLESS_V2_POSTGRESQL_CAP:
        return MaxConnections(_SERVERLESS_V2_POSTGRESQL_CAP, "Aurora PostgreSQL's cap for a minimum below 1 ACU")
    return MaxConnections(postgresql, basis)


def from_parameter(engine: DatabaseEngine, value: str, instance_class: str | None = None) -> MaxConnections:
    """Evaluate the parameter that limits connections, as it stands in a parameter group.

    Parameters
    ----------
    engine
        The engine; Oracle's parameter is ``processes``, SQL Server's is ``user connections``.
    value
        A number or a formula; see `parameter_formula`. A formula with ``DBInstanceClassMemory`` gives an estimate that
        never exceeds the true value.
    instance_class
        The class, for formulas with ``DBInstanceClassMemory``; None where it isn't known.

    Raises
    ------
    UnknownMaxConnections
        The value is no number or formula, depends on something that only the deployed instance knows, or lies outside
        of what the engine allows.
    """
    if engine not in _PARAMETERS:
        raise UnknownMaxConnections(f"{engine.value} has no parameter that limits connections.", _remedy(engine))
    parameter = _PARAMETERS[engine]
    if engine is DatabaseEngine.AURORA_MYSQL and instance_class and "".join(value.split()) == _AURORA_MYSQL_DEFAULT:
        return for_instance_class(engine, instance_class)
    remedy = f"Pass max_connections=…, or set {parameter.name} to a number."
    basis = f"{parameter.name} in the parameter group"
    try:
        found = MaxConnections(evaluate(value, {}), basis, stated=True)
    except UnknownVariableError as unknown:
        if unknown.variable != "DBInstanceClassMemory" or instance_class is None:
            raise UnknownMaxConnections(f"{parameter.name}: {unknown}", remedy) from unknown
        found = _estimate(engine, value, _class_name(instance_class), basis)
    except FormulaError as error:
        raise UnknownMaxConnections(f"{parameter.name}: {error}", remedy) from error
    if not parameter.minimum <= found.value <= parameter.maximum:
        allowed = f"{engine.value} allows {parameter.minimum} to {parameter.maximum}"
        raise UnknownMaxConnections(f"{parameter.name}: {value!r} gives {found.value}, {allowed}.", remedy)
    if engine is DatabaseEngine.SQL_SERVER and found.value == 0:
        return MaxConnections(parameter.maximum, "SQL Server's maximum, user connections is 0, unlimited")
    return found


def _usable_memory(name: str) -> int:
    """Estimate ``DBInstanceClassMemory`` in bytes: the nominal memory less what the OS and RDS's processes take.

    AWS publishes no formula for that part. 0.90 of the nominal memory less 256 MiB stays below every value of
    max_connections that was observed (tests/unit/limits/data/observed_max_connections.csv).
    """
    return int(0.90 * _nominal_memory(name) - 256 * 1024**2)


def _nominal_memory(name: str) -> int:
    memory = _column("rds_instance_memory.csv", "memory_gib")
    if name not in memory:
        raise UnknownMaxConnections(f"The memory of the class {name!r} is not known.")
    return int(float(memory[name]) * 1024**3)


def _estimate(
    engine: DatabaseEngine, formula: str, name: str, basis: str, memory: Callable[[str], int] = _usable_memory
) -> MaxConnections:
    try:
        value = evaluate(formula, {"DBInstanceClassMemory": memory(name)})
    except FormulaError as error:
        raise UnknownMaxConnections(f"{_PARAMETERS[engine].name}: {error}") from error
    # MySQL's default has no cap, the server has: it takes its maximum for anything above. Source: MySQL Reference
    # Manual, "Server System Variables", max_connections, and "Setting System Variables".
    if engine in (DatabaseEngine.MYSQL, DatabaseEngine.MARIADB) and value > _PARAMETERS[engine].maximum:
        return MaxConnections(_PARAMETERS[engine].maximum, f"{engine.value}'s own maximum", estimated=True)
    return MaxConnections(value, f"estimated from {basis}", estimated=True)


@cache
def _column(file: str, column: str) -> dict[str, str]:
    rows = (files("cdk_breakwater.limits") / "data" / file).read_text(encoding="utf-8").splitlines()
    return {row["class"]: row[column] for row in csv.DictReader(rows)}


def _class_name(instance_class: str) -> str:
    name = instance_class.strip().lower()
    return name if name.startswith("db.") else f"db.{name}"


def _older_than_10_5(version: str | None) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", version or "")
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < (10, 5)


def _remedy(engine: DatabaseEngine) -> str:
    return _REMEDY if engine in _PARAMETERS else "Pass max_connections=…"
