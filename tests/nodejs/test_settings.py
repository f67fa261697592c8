"""Settings, by themselves and as the constructs write them."""

from __future__ import annotations

import re

from cdk_breakwater.layers import runtime_settings as runtime_environment
from cdk_breakwater.layers.packaged_sources import source_directory
from tests.nodejs.node_runner import LambdaFolder


def test_settings(folder: LambdaFolder) -> None:
    folder.run("settings")


def test_the_pauses_grow_with_what_a_refusal_takes(folder: LambdaFolder) -> None:
    folder.run("attempts")


def test_it_reads_the_variables_that_the_constructs_write() -> None:
    text = (source_directory("nodejs/breakwater-runtime") / "settings.cjs").read_text()
    read = set(re.findall(r"#(?:text|number)\('\w+', '([A-Z_]+)'", text))
    names = [
        "ENGINE",
        "HOST",
        "PORT",
        "DATABASE",
        "SECRET_ARN",
        "AUTH",
        "USER",
        "MAX_CONNECTIONS",
        "UTILIZATION",
        "TLS_CA",
        "PROXY",
        "FUNCTION_TIMEOUT",
    ]
    assert read == {getattr(runtime_environment, name) for name in names}
