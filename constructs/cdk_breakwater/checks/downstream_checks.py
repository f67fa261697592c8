"""The checks as a validation plugin of the CDK."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import jsii
from aws_cdk import (
    IAspect,
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
)

from ..budgets.account_reservations import account_concurrency
from ..errors import BreakwaterError
from ..limits.account_quota import ACCOUNT_CONCURRENCY
from . import RULES, Severity, check, read

if TYPE_CHECKING:
    from constructs import IConstruct

    from .resource import Resource


@jsii.implements(IPolicyValidationPlugin, IAspect)
class DownstreamChecks:
    """A CDK validation plugin that fails the synth if an app's limits don't fit together.

    Add it with ``Validations.of(app).add_plugins(DownstreamChecks())``. The app may have constructs of this library or
    not. To acknowledge an exception, call
    ``Validations.of(construct).acknowledge(Acknowledgment(id="Breakwater::QueueVisibilityTimeout", reason="…"))``.
    Findings that are only worth knowing, and findings of rules on trial, don't fail the synth. The account's quota of
    concurrent executions is read from the context key ``account_concurrency``, 1,000 by default.
    """

    @property
    def name(self) -> str:
        """The prefix of the rules' ids."""
        return "Breakwater"

    @property
    def version(self) -> str | None:
        """The version of cdk-breakwater."""
        try:
            return version("cdk-breakwater")
        except PackageNotFoundError:
            return None

    @property
    def rule_ids(self) -> list[str]:
        """The ids of all rules."""
        return [rule.id for rule in RULES]

    def visit(self, node: IConstruct) -> NoReturn:
        """Raise an error that says how to add the plugin: it is not an Aspect, as cdk-nag before 3 was."""
        raise BreakwaterError(
            node,
            "DownstreamChecks is not an Aspect: it reads the templates after all of them are written.",
            "Write Validations.of(app).add_plugins(DownstreamChecks()).",
        )

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """Apply all rules to the templates of the app. The CDK calls this method at synth."""
        paths = [Path(path) for path in context.template_paths]
        app = getattr(context, "app_construct", None)  # older releases of aws-cdk-lib don't pass it
        quota = account_concurrency(app) if app is not None else ACCOUNT_CONCURRENCY
        report = check(read(paths, quota))
        violations = [
            PolicyViolation(
                rule_name=rule.id,
                description=f"{finding.text} {rule.reason}",
                fix=f"{rule.fix} {rule.link}",
                severity="info" if severity is Severity.NOTE else "warning" if rule.trial else "error",
                rule_metadata={"consequence": severity.text},
                violating_resources=[_violating(finding.resource, finding.location)],
            )
            for rule, finding in report.findings
            for severity in (finding.severity or rule.severity,)
        ]
        failed = any(violation.severity == "error" for violation in violations)
        violations += [
            PolicyViolation(
                rule_name=failure.rule.id,
                description=failure.text,
                fix="Tell the maintainers of cdk-breakwater, with the resource's template.",
                severity="warning",
                violating_resources=[_violating(failure.resource, "Properties")],
            )
            for failure in report.failures
        ]
        return PolicyValidationPluginReport(success=not failed, violations=violations)


def _violating(resource: Resource, location: str) -> PolicyViolatingResource:
    return PolicyViolatingResource(
        resource_logical_id=resource.logical_id, template_path=str(resource.template.path), locations=[location]
    )
