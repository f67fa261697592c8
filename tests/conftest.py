"""What every test starts with: the Node of the virtual environment, and no limit on an example's time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

os.environ.setdefault("JSII_NODE", str(Path(sys.executable).parent / "node"))
# CloudFormation's rules, which the CDK runs over each template, cost more than all the rest of a small synth. The
# reference app (`make synth`) and the examples are synthesized with them.
os.environ.setdefault("CDK_VALIDATION", "false")

# A busy machine draws and runs examples slowly: that says nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_runtest_teardown() -> None:
    """Forget boto3's default session, which keeps the credentials that it was first used with."""
    if boto3 := sys.modules.get("boto3"):
        setattr(boto3, "DEFAULT_SESSION", None)  # noqa: B010 -- a module of `sys.modules` has no such name
