from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from aws_cdk import App, Stack

from cdk_breakwater.checks import Finding, Rule, check, read

if TYPE_CHECKING:
    from collections.abc import Callable

# What `cdk synth` adds to an app's context: constructs' paths and the files of nested stacks in the templates.
AS_THE_CLI = {"aws:cdk:enable-path-metadata": True, "aws:cdk:enable-asset-metadata": True}


class Findings(Protocol):
    def __call__(
        self, rule: Rule, *build: Callable[[Stack], object], account_concurrency: int = 1000
    ) -> list[Finding]: ...


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    """Synthesize one stack for each function and apply one rule to their templates."""

    def apply(rule: Rule, *build: Callable[[Stack], object], account_concurrency: int = 1000) -> list[Finding]:
        app = App(outdir=str(tmp_path), context=AS_THE_CLI)
        for number, make in enumerate(build):
            make(Stack(app, f"Stack{number}"))
        templates = [Path(stack.template_full_path) for stack in app.synth().stacks]
        report = check(read(templates, account_concurrency), [rule])
        assert report.failures == []
        return [finding for _, finding in report.findings]

    return apply
