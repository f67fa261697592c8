from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_breakwater.limits.engines import DatabaseEngine as Engine
from cdk_breakwater.limits.max_connections import (
    MaxConnections,
    UnknownMaxConnections,
    for_instance_class,
    for_serverless_v2,
    from_parameter,
)

DEFAULTS = {
    Engine.MYSQL: "{DBInstanceClassMemory/12582880}",
    Engine.MARIADB: "LEAST({DBInstanceClassMemory/25165760},12000)",
    Engine.POSTGRESQL: "LEAST({DBInstanceClassMemory/9531392},5000)",
    Engine.AURORA_POSTGRESQL: "LEAST({DBInstanceClassMemory/9531392},5000)",
    Engine.ORACLE: "LEAST({DBInstanceClassMemory/9868951},20000)",
}
AURORA_MYSQL_DEFAULT = (
    "GREATEST({log(DBInstanceClassMemory/805306368)*45},{log(DBInstanceClassMemory/8187281408)*1000})"
)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


DATA = files("cdk_breakwater.limits") / "data"
AURORA_MYSQL = rows((DATA / "aurora_mysql_max_connections.csv").read_text())
MEMORY = {row["class"]: float(row["memory_gib"]) for row in rows((DATA / "rds_instance_memory.csv").read_text())}
OBSERVED = rows((Path(__file__).parent / "data" / "observed_max_connections.csv").read_text())


def test_the_tables_are_whole() -> None:
    assert (len(AURORA_MYSQL), len(MEMORY), len(OBSERVED)) == (74, 414, 49)
    assert len({row["class"] for row in AURORA_MYSQL}) == 74


@pytest.mark.parametrize("row", AURORA_MYSQL, ids=lambda row: row["class"])
def test_aurora_mysql_has_a_table(row: dict[str, str]) -> None:
    name, expected = row["class"], int(row["max_connections"])
    found = for_instance_class(Engine.AURORA_MYSQL, name)
    assert found == MaxConnections(expected, f"Aurora MySQL's table for {name}")
    assert for_instance_class(Engine.AURORA_MYSQL, name.removeprefix("db.").upper()) == found
    assert from_parameter(Engine.AURORA_MYSQL, AURORA_MYSQL_DEFAULT, name) == found
    # AWS documents no rounding of log(): this is what ours rests on. Written in lower case, it isn't looked up.
    computed = from_parameter(Engine.AURORA_MYSQL, AURORA_MYSQL_DEFAULT.replace("GREATEST", "greatest"), name)
    assert (computed.value, computed.estimated) == (expected, True)


@pytest.mark.parametrize("row", OBSERVED, ids=lambda row: f"{row['engine']}-{row['class']}-{row['observed']}")
def test_no_estimate_exceeds_an_observed_limit(row: dict[str, str]) -> None:
    engine, observed = Engine(row["engine"]), int(row["observed"])
    if row["class"].startswith("serverless "):
        acu = float(row["class"].split()[1])
        found = for_serverless_v2(engine, acu, 1)
        assert (found.value, found.estimated) == (observed, False)
        return
    found = for_instance_class(engine, row["class"])
    assert found.estimated
    assert found.basis == f"estimated from {row['class']}'s memory"
    assert 0.6 * observed < found.value <= observed


@pytest.mark.parametrize("name", MEMORY)
def test_every_class_has_an_estimate_below_the_nominal_one(name: str) -> None:
    nominal = MEMORY[name] * 1024**3
    for engine, divisor in {Engine.MYSQL: 12582880, Engine.MARIADB: 25165760, Engine.POSTGRESQL: 9531392}.items():
        found = for_instance_class(engine, name).value
        assert 0 < found < nominal / divisor
        assert from_parameter(engine, DEFAULTS[engine], name).value == found
    assert for_instance_class(Engine.MYSQL, name).value <= 100_000
    assert for_instance_class(Engine.POSTGRESQL, name).value <= 5000
    assert for_instance_class(Engine.MARIADB, name).value <= 12000
    assert for_instance_class(Engine.ORACLE, name).value <= 20000


def test_mariadb_before_10_5_allows_twice_as_many() -> None:
    new, old = (for_instance_class(Engine.MARIADB, "db.m5.large", version) for version in ("10.5.1", "10.4.34"))
    assert old == for_instance_class(Engine.MYSQL, "db.m5.large")
    assert old.value in (2 * new.value, 2 * new.value + 1)
    for version in (None, "11.8", "10.11.9"):
        assert for_instance_class(Engine.MARIADB, "db.m5.large", version) == new


@pytest.mark.parametrize(
    ("engine", "name", "message"),
    [
        (Engine.MYSQL, "db.z9.huge", r"memory of the class 'db.z9.huge' is not known. Pass max_connections=…, or set"),
        (Engine.AURORA_MYSQL, "db.t3.micro", "Aurora MySQL's table of max_connections has no class 'db.t3.micro'"),
        (Engine.POSTGRESQL, "db.serverless", "'db.serverless' is not known"),
        (Engine.POSTGRESQL, "", "'db.' is not known"),
        (Engine.MONGODB, "M30", r"connections of mongodb don't follow from 'db.m30'. Pass max_connections=…$"),
    ],
)
def test_no_guess_for_an_unknown_class(engine: Engine, name: str, message: str) -> None:
    with pytest.raises(UnknownMaxConnections, match=message):
        for_instance_class(engine, name)


@pytest.mark.parametrize(
    ("max_acu", "mysql", "postgresql"),
    [
        (1, 90, 189), (3.5, 90, 189), (4, 135, 823), (8, 1000, 1669), (15.5, 1000, 1669), (16, 2000, 3360),
        (32, 3000, 5000), (64, 4000, 5000), (128, 5000, 5000), (192, 6000, 5000), (255.5, 6000, 5000),
        (256, 6000, 5000),
    ],
)  # fmt: skip
def test_serverless_v2(max_acu: float, mysql: int, postgresql: int) -> None:
    for min_acu in (None, 0, 0.5):
        assert for_serverless_v2(Engine.AURORA_MYSQL, max_acu, min_acu).value == mysql
        assert for_serverless_v2(Engine.AURORA_POSTGRESQL, max_acu, min_acu).value == min(postgresql, 2000)
    assert for_serverless_v2(Engine.AURORA_MYSQL, max_acu, 1).value == mysql
    assert for_serverless_v2(Engine.AURORA_POSTGRESQL, max_acu, 1).value == postgresql


def test_serverless_v2_says_which_row() -> None:
    basis = "Aurora's table for a maximum of 8 ACU, the next row below 12"
    assert for_serverless_v2(Engine.AURORA_MYSQL, 12).basis == basis
    assert "minimum below 1 ACU" in for_serverless_v2(Engine.AURORA_POSTGRESQL, 64, 0.5).basis


@pytest.mark.parametrize(
    ("engine", "max_acu", "min_acu", "message"),
    [
        (Engine.AURORA_MYSQL, 0.5, None, r"between 1 and 256 ACU \(given 0.5\)"),
        (Engine.AURORA_MYSQL, 257, None, r"between 1 and 256 ACU \(given 257\)"),
        (Engine.AURORA_MYSQL, float("nan"), None, "between 1 and 256"),
        (Engine.AURORA_POSTGRESQL, 4, 8, r"minimum capacity must be between 0 and 4 ACU \(given 8\)"),
        (Engine.AURORA_POSTGRESQL, 4, -1, r"given -1"),
        (Engine.MYSQL, 4, 1, "Serverless v2 is Aurora's, not of mysql"),
    ],
)
def test_serverless_v2_refuses(engine: Engine, max_acu: float, min_acu: float | None, message: str) -> None:
    with pytest.raises(UnknownMaxConnections, match=message):
        for_serverless_v2(engine, max_acu, min_acu)


def test_sql_server_is_unlimited_up_to_its_maximum() -> None:
    assert for_instance_class(Engine.SQL_SERVER, "db.t3.small").value == 32_767
    assert from_parameter(Engine.SQL_SERVER, "0").value == 32_767
    assert from_parameter(Engine.SQL_SERVER, "300") == MaxConnections(
        300, "user connections in the parameter group", stated=True
    )


@pytest.mark.parametrize(
    ("engine", "lowest", "highest"),
    [
        (Engine.MYSQL, 1, 100_000),
        (Engine.MARIADB, 1, 100_000),
        (Engine.POSTGRESQL, 6, 262_143),
        (Engine.AURORA_MYSQL, 1, 16_000),
        (Engine.AURORA_POSTGRESQL, 1, 262_143),
        (Engine.ORACLE, 80, 20_000),
    ],
)
def test_a_number_in_the_parameter_group(engine: Engine, lowest: int, highest: int) -> None:
    name = "processes" if engine is Engine.ORACLE else "max_connections"
    for number in (lowest, highest):
        assert from_parameter(engine, str(number)) == MaxConnections(
            number, f"{name} in the parameter group", stated=True
        )
    for number in (lowest - 1, highest + 1, -5):
        with pytest.raises(UnknownMaxConnections, match=f"'{number}' gives {number}, .* allows {lowest} to {highest}"):
            from_parameter(engine, str(number))


def test_a_formula_needs_the_class_only_for_its_memory() -> None:
    assert from_parameter(Engine.MYSQL, "LEAST(700,900)") == MaxConnections(
        700, "max_connections in the parameter group", stated=True
    )
    found = from_parameter(Engine.MYSQL, "LEAST({DBInstanceClassMemory/12582880},50)", "t4g.micro")
    assert found == MaxConnections(50, "estimated from max_connections in the parameter group", estimated=True)
    with pytest.raises(UnknownMaxConnections, match="depends on DBInstanceClassMemory"):
        from_parameter(Engine.MYSQL, "{DBInstanceClassMemory/12582880}")
    with pytest.raises(UnknownMaxConnections, match=r"'db\.nope' is not known"):
        from_parameter(Engine.MYSQL, "{DBInstanceClassMemory/12582880}", "db.nope")


@pytest.mark.parametrize("variable", ["AllocatedStorage", "DBInstanceVCPU", "EndPointPort", "TrueIfReplica"])
def test_what_only_the_instance_knows_is_no_number(variable: str) -> None:
    for text in (f"{{{variable}*5}}", f"LEAST({{DBInstanceClassMemory/5}},{{{variable}}})"):
        with pytest.raises(UnknownMaxConnections, match=f"depends on {variable}.*Pass max_connections=…, or set"):
            from_parameter(Engine.MYSQL, text, "db.t3.micro")


def test_an_engine_without_such_a_parameter() -> None:
    with pytest.raises(UnknownMaxConnections, match="docdb has no parameter that limits connections"):
        from_parameter(Engine.DOCUMENTDB, "500")


@given(st.sampled_from(list(Engine)), st.text(), st.sampled_from([None, "db.t3.micro", "x"]))
def test_garbage_is_an_error(engine: Engine, text: str, name: str | None) -> None:
    try:
        found = from_parameter(engine, text, name)
    except UnknownMaxConnections:
        return
    assert int(text) == found.value
