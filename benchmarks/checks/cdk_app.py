"""An app of the planted templates, each a stack, under cdk-nag's packs and cdk-preflight; run by the peers' Python.

Prints a JSON object: what each of them, and the CDK's own validation, says of which template.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import cdk_nag
from aws_cdk import App, Stack, Validations
from aws_cdk import cloudformation_include as include
from cdk_preflight import Preflight  # pyrefly: ignore[missing-import] -- installed for the benchmark alone

_PACKS = (
    cdk_nag.AwsSolutionsChecks,
    cdk_nag.HIPAASecurityChecks,
    cdk_nag.NIST80053R5Checks,
    cdk_nag.PCIDSS321Checks,
    cdk_nag.ServerlessChecks,
)
_OTHERS = {"CloudFormation Validate": "CDK's validation", "cdk-preflight": "cdk-preflight"}


def main(folder: Path) -> None:
    """Synthesize and read the validation reports."""
    found: dict[str, dict[str, list[str]]] = {"cdk-nag": {}, "cdk-preflight": {}, "CDK's validation": {}}
    for report in _reports(sorted(folder.glob("*.json"))):
        for plugin in report["pluginReports"]:
            tool = _OTHERS.get(plugin["pluginName"], "cdk-nag")
            for violation in plugin["violations"]:
                for construct in violation["violatingConstructs"]:
                    template = construct["constructPath"].split("/")[0]
                    found[tool].setdefault(template, []).append(violation["ruleName"])
    sys.stdout.write(json.dumps(found))


def _reports(files: list[Path]) -> list[dict[str, Any]]:
    """Give the reports of an app, or of two of half its size where the CDK refuses one of its templates."""
    report = _report(files)
    if report is not None:
        return [report]
    if len(files) == 1:
        sys.stderr.write(f"{files[0].name}: the CDK can't synthesize it\n")
        return []
    half = len(files) // 2
    return _reports(files[:half]) + _reports(files[half:])


def _report(files: list[Path]) -> dict[str, Any] | None:
    with tempfile.TemporaryDirectory() as out:
        app = App(outdir=out)
        Validations.of(app).add_plugins(*(pack() for pack in _PACKS))
        Preflight.apply(app)
        try:
            for file in files:
                include.CfnInclude(Stack(app, file.stem), "Template", template_file=str(file))
            app.synth()
        except RuntimeError as error:  # so it ends as well when anything is found
            if not (Path(out) / "validation-report.json").is_file():
                sys.stderr.write(f"{str(error).splitlines()[0]}\n")
                return None
        return json.loads((Path(out) / "validation-report.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
