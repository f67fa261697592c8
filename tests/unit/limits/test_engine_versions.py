"""Versions of engines in examples and docs are those that AWS creates, by the data that cfn-lint carries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint
import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "app.py", *(ROOT / "examples").glob("*.py"), *(ROOT / "docs").glob("*.md")]
SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas" / "extensions"
ENGINES = {
    "AuroraMysql": "aurora-mysql",
    "AuroraPostgres": "aurora-postgresql",
    "MariaDb": "mariadb",
    "Mysql": "mysql",
    "Postgres": "postgres",
}
NAMED = re.compile(r'\b(\w+)EngineVersion\.(?:VER_(\w+)|of\("([^"]+)")')


def named() -> set[tuple[str, str]]:
    found = set()
    for page in PAGES:
        for engine, constant, text in NAMED.findall(page.read_text(encoding="utf-8")):
            version = text or constant.replace("_", ".")
            found.add((ENGINES[engine], f"8.0.mysql_aurora.{version}" if engine == "AuroraMysql" else version))
    return found


def listed(schema: str, engine: str) -> Iterator[str]:
    """Yield the versions of an engine in one of cfn-lint's lists."""
    content: dict[str, Any] = json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))
    for rule in content["allOf"]:
        when = rule["if"]["properties"]
        if when["Engine"].get("const") == engine:
            yield from (rule.get("then") or {}).get("properties", when)["EngineVersion"]["enum"]


def test_there_are_some() -> None:
    assert {engine for engine, _ in named()} == set(ENGINES.values())


@pytest.mark.parametrize(("engine", "version"), sorted(named()))
def test_aws_creates_it(engine: str, version: str) -> None:
    kind = "aws_rds_dbcluster" if engine.startswith("aurora") else "aws_rds_dbinstance"
    assert version in set(listed(f"{kind}/engine_version", engine))
    if "." in version:  # of "17" AWS takes the newest
        assert version not in set(listed(f"{kind}/engine_version_deprecated", engine))


def test_one_that_is_gone_would_be_found() -> None:
    assert "16.0" not in set(listed("aws_rds_dbcluster/engine_version", "aurora-postgresql"))
