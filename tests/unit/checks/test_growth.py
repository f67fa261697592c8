"""Twice the template takes twice the work: no rule looks at each resource once for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.checks.large_templates import databases_and_functions, services

from cdk_breakwater.checks.template import Template

from .templates import checked

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES: dict[str, tuple[Callable[[int], dict[str, Any]], int]] = {
    "services": (services, 10),
    "functions and databases of one network": (lambda size: databases_and_functions(5 * size, size), 8),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_work_grows_with_the_template(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the values that are looked at, which no other load on the machine changes."""
    looked = 0
    resolve = Template.resolve

    def counted(self: Template, value: Any) -> Any:
        nonlocal looked
        looked += 1
        return resolve(self, value)

    def work(body: dict[str, Any]) -> int:
        nonlocal looked
        looked = 0
        report = checked(body)
        assert report.failures == []
        return looked

    monkeypatch.setattr(Template, "resolve", counted)
    template, size = SHAPES[shape]
    work(template(1))  # what is computed once for the process
    assert work(template(4 * size)) < 4.5 * work(template(size))
