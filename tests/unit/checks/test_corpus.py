"""Small templates: of each pair one that must be reported and one, almost like it, that must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdk_breakwater.checks import RULES
from cdk_breakwater.cli.template_file import read_template

from .templates import found

BY_ID = {rule.id: rule for rule in RULES}
CASES: list[Any] = []
for file in sorted((Path(__file__).parent / "corpus").glob("*.yaml")):
    body = read_template(file).body
    for name, case in body["cases"].items():
        rule = body.get("rule") or name.split()[0]
        CASES.append(pytest.param(BY_ID[rule], case["finds"], case, id=f"{file.stem}: {name}"))


@pytest.mark.parametrize(("rule", "expected", "template"), CASES)
def test_case(rule: Any, expected: list[str], template: dict[str, Any]) -> None:
    assert found(template, rule) == expected


def test_each_rule_has_a_case_of_both_kinds() -> None:
    reported = {rule.id for rule, expected, _ in (case.values for case in CASES) if expected}
    silent = {rule.id for rule, expected, _ in (case.values for case in CASES) if not expected}
    assert reported == silent == set(BY_ID)
    assert len(CASES) >= 150
