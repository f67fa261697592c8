"""What is read as a grant, and what is refused with which words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_breakwater import BreakwaterError, DatabaseEngine
from cdk_breakwater.functions.database_users.grants import check_user_name, parse_grants

MYSQL, POSTGRESQL = DatabaseEngine.MYSQL, DatabaseEngine.POSTGRESQL


def parsed(engine: DatabaseEngine, text: str) -> tuple[list[str], str, list[str]]:
    (grant,) = parse_grants("Stack/Orders", engine, [text])
    return grant["Privileges"], grant["On"], grant["Name"]


@pytest.mark.parametrize("engine", [MYSQL, POSTGRESQL, DatabaseEngine.MARIADB, DatabaseEngine.AURORA_POSTGRESQL])
def test_the_same_words_for_every_engine(engine: DatabaseEngine) -> None:
    assert parsed(engine, "SELECT, INSERT ON shop.*") == (["SELECT", "INSERT"], "TABLE", ["shop", "*"])
    assert parsed(engine, " select ,  update\ton  table  shop.orders ") == (
        ["SELECT", "UPDATE"],
        "TABLE",
        ["shop", "orders"],
    )
    assert parsed(engine, "ALL PRIVILEGES ON shop.*")[0] == ["ALL"]
    assert parsed(engine, "EXECUTE ON PROCEDURE shop.refresh") == (["EXECUTE"], "PROCEDURE", ["shop", "refresh"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE TEMPORARY TABLES ON `my-shop`.*", (["CREATE TEMPORARY TABLES"], "TABLE", ["my-shop", "*"])),
        ("PROCESS ON *.*", (["PROCESS"], "TABLE", ["*", "*"])),
        ("EXECUTE ON PROCEDURE mysql.rds_kill", (["EXECUTE"], "PROCEDURE", ["mysql", "rds_kill"])),
        ("SELECT ON Shop.`a``b.c`", (["SELECT"], "TABLE", ["Shop", "a`b.c"])),
    ],
)
def test_mysql(text: str, expected: Any) -> None:
    assert parsed(MYSQL, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("USAGE ON SCHEMA Shop", (["USAGE"], "SCHEMA", ["shop"])),
        ('CREATE ON DATABASE "Shop"', (["CREATE"], "DATABASE", ["Shop"])),
        ("SELECT ON all tables  in schema shop", (["SELECT"], "ALL TABLES IN SCHEMA", ["shop"])),
        ('USAGE ON SEQUENCE shop."a""b.c"', (["USAGE"], "SEQUENCE", ["shop", 'a"b.c'])),
        ("pg_read_all_data", (["pg_read_all_data"], "ROLE", ["pg_read_all_data"])),
    ],
)
def test_postgresql(text: str, expected: Any) -> None:
    assert parsed(POSTGRESQL, text) == expected


@pytest.mark.parametrize(
    ("engine", "text", "reason"),
    [
        (MYSQL, "SELECT ON shop.*; DROP TABLE shop.orders", "'shop.*; DROP TABLE shop.orders' is not an object"),
        (MYSQL, "SELECT ON shop.* TO someone", "'shop.* TO someone' is not an object"),
        (MYSQL, "SELECT ON shop.* WITH GRANT OPTION", "'shop.* WITH GRANT OPTION' is not an object"),
        (MYSQL, "SELECT ON shop.`*`", "a table that is called * cannot be told from every table"),
        (POSTGRESQL, 'SELECT ON shop."*"', "a table that is called * cannot be told from every table"),
        (MYSQL, "SUPER ON *.*", "SUPER on every database makes the user an administrator"),
        (MYSQL, "SELECT, CREATE USER ON *.*", "CREATE USER on every database makes the user an administrator"),
        (MYSQL, "BINLOG ADMIN ON *.*", "BINLOG ADMIN on every database makes the user an administrator"),
        (MYSQL, "ALL PRIVILEGES ON *.*", "ALL PRIVILEGES on every database makes the user an administrator"),
        (MYSQL, "INSERT ON mysql.user", "INSERT on the server's own database makes the user an administrator"),
        (MYSQL, "SELECT, ALL ON `MySQL`.*", "ALL on the server's own database makes the user an administrator"),
        (POSTGRESQL, "RDS_superuser", "rds_superuser makes the user an administrator"),
        (POSTGRESQL, "pg_execute_server_program", "pg_execute_server_program makes the user an administrator"),
        (MYSQL, "GRANT OPTION ON shop.*", "'GRANT OPTION' is not a privilege that can be granted"),
        (MYSQL, "SELECT,, INSERT ON shop.*", "'' is not a privilege that can be granted"),
        (MYSQL, "SELECT (id) ON shop.orders", "it is not of that form"),
        (MYSQL, "GRANT SELECT", "it is not of that form"),
        (MYSQL, "reader", "it is not of that form"),
        (MYSQL, "", "it is not of that form"),
        (MYSQL, "SELECT ON orders", "TABLE needs a database or schema and a name in it"),
        (MYSQL, "SELECT ON *", "'*' is not an object"),
        (MYSQL, "EXECUTE ON PROCEDURE shop.*", "'shop.*' is not a PROCEDURE"),
        (MYSQL, "SELECT ON SCHEMA shop", "'SCHEMA shop' is not an object"),
        (MYSQL, 'SELECT ON "shop".*', "'\"shop\".*' is not an object"),
        (POSTGRESQL, "SELECT ON *.*", "'*.*' is not a TABLE"),
        (POSTGRESQL, "USAGE ON SCHEMA shop.orders", "SCHEMA needs one name"),
        (POSTGRESQL, "SELECT ON `shop`.orders", "'`shop`.orders' is not an object"),
        (POSTGRESQL, "SELECT ON shop.a, shop.b", "'shop.a, shop.b' is not an object"),
        (POSTGRESQL, "pg_read_all_data; DROP ROLE x", "it is not of that form"),
    ],
)
def test_what_is_no_grant(engine: DatabaseEngine, text: str, reason: str) -> None:
    with pytest.raises(BreakwaterError) as caught:
        parse_grants("Stack/Orders", engine, [text])
    examples = '"SELECT, INSERT ON shop.*" or "EXECUTE ON PROCEDURE shop.refresh"'
    if engine is POSTGRESQL:
        examples = '"SELECT, INSERT ON shop.*", "USAGE ON SCHEMA shop" or a role\'s name'
    assert str(caught.value) == (
        f"Stack/Orders: the grant {text!r} is not understood: {reason}. "
        f"Write the text between GRANT and TO, privileges ON one object: {examples}."
    )


def test_a_text_is_no_list() -> None:
    with pytest.raises(
        BreakwaterError, match=re.escape("grants is the text 'SELECT ON shop.*'. Give a list: grants=[")
    ):
        parse_grants("Stack/Orders", MYSQL, "SELECT ON shop.*")


@given(text=st.text(alphabet="SELECT ON*.,;'\"`()-\\\nshop", max_size=40), engine=st.sampled_from([MYSQL, POSTGRESQL]))
def test_no_text_gets_through_unparsed(text: str, engine: DatabaseEngine) -> None:
    try:
        (grant,) = parse_grants("Stack/Orders", engine, [text])
    except BreakwaterError:
        return
    if grant["On"] == "ROLE":
        assert re.fullmatch("[a-z_0-9$]+", grant["Name"][0])
    else:
        assert all(re.fullmatch("[A-Z]+( [A-Z]+)*", word) for word in [grant["On"], *grant["Privileges"]])


@pytest.mark.parametrize("name", ["orders", "Orders_2", "o-1", "_x", "a" * 32])
def test_names(name: str) -> None:
    check_user_name("Stack/Orders", name)


@pytest.mark.parametrize("name", ["", "1a", "a b", "o'; --", "a" * 33, "naïve", "a@b"])
def test_no_names(name: str) -> None:
    with pytest.raises(BreakwaterError) as caught:
        check_user_name("Stack/Orders", name)
    assert str(caught.value) == (
        f"Stack/Orders: {name!r} is not a valid name for a database user. "
        "Take up to 32 letters, digits, underscores and hyphens, not beginning with a digit or a hyphen."
    )


@pytest.mark.parametrize("name", ["root", "postgres", "pg_monitor", "rdsadmin", "rds_iam", "PUBLIC"])
def test_names_that_are_taken(name: str) -> None:
    with pytest.raises(BreakwaterError) as caught:
        check_user_name("Stack/Orders", name)
    assert (
        str(caught.value)
        == f"Stack/Orders: the user name {name!r} belongs to the database or to RDS. Take another one."
    )
