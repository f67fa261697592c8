"""Another app uses a quota by its name alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from cdk_breakwater import BreakwaterError, IQuotaThrottledInvocation, QuotaThrottledInvocation, QuotaTier
from cdk_breakwater.quota.quota_name import ImportedQuota
from tests.unit.quota.test_keys import EACH, TIERS, caller, statements_of

PAGE = (Path(__file__).parents[3] / "docs" / "quota.md").read_text()
PARTS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "plain": ({}, {"queue", "acquirer"}),
    "priority": ({"priority": True}, {"queue", "priority-queue", "acquirer"}),
    "keys": ({"key": "$.tenant", "key_tiers": EACH}, {"queue", "table"}),
}


def exports_of(template: Template) -> dict[str, Any]:
    return {
        output["Export"]["Name"]: output["Value"]
        for output in template.to_json().get("Outputs", {}).values()
        if "Export" in output
    }


def imports_of(template: Template) -> set[str]:
    return set(re.findall(r'"Fn::ImportValue": "([^"]*)"', json.dumps(template.to_json())))


def use(quota: IQuotaThrottledInvocation, stack: cdk.Stack, code: dict[str, Any], *, keys: bool) -> lambda_.Function:
    """Do all that one can do with a quota."""
    function = lambda_.Function(stack, "Producer", **code)
    quota.grant_send(function)
    function.add_environment("QUEUE", quota.queue.queue_url)
    if keys:
        quota.grant_plans(function)
        function.add_environment("TABLE", quota.table.table_name)
    else:
        quota.grant_acquire(function)
    return function


@pytest.mark.parametrize("kind", PARTS)
def test_what_another_app_imports_is_what_the_quota_exports(stack: cdk.Stack, code: dict[str, Any], kind: str) -> None:
    options, parts = PARTS[kind]
    function = caller(stack, code)
    QuotaThrottledInvocation(stack, "Crm", function=function, tiers=TIERS, quota_name="crm", **options)
    other = cdk.Stack(cdk.App(), "Other")
    theirs = QuotaThrottledInvocation.from_quota_name(other, "Crm", "crm", priority=kind == "priority")
    use(theirs, other, code, keys=kind == "keys")
    exported, imported = exports_of(Template.from_stack(stack)), imports_of(Template.from_stack(other))
    assert set(exported) == {f"breakwater:quota:crm:{part}" for part in parts} == imported
    assert all(value["Fn::GetAtt"][1] == "Arn" for value in exported.values())


def test_another_app_has_the_rights_that_one_stack_would_have(stack: cdk.Stack, code: dict[str, Any]) -> None:
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, priority=True)
    use(quota, stack, code, keys=False)
    other = cdk.Stack(cdk.App(), "Other")
    theirs = QuotaThrottledInvocation.from_quota_name(other, "Crm", "crm", priority=True)
    producer = use(theirs, other, code, keys=False)
    rights = [
        [(statement["Action"], statement["Effect"]) for statement in statements_of(template, "Producer")]
        for template in (Template.from_stack(stack), Template.from_stack(other))
    ]
    assert rights[0] == rights[1]
    (found,) = Template.from_stack(other).find_resources("AWS::Lambda::Function").values()
    assert found["Properties"]["Environment"]["Variables"]["BREAKWATER_ACQUIRE"] == {
        "Fn::ImportValue": "breakwater:quota:crm:acquirer"
    }
    assert len(found["Properties"]["Layers"]) == 1, "it has the runtime that asks"
    with pytest.raises(BreakwaterError, match="takes slots by BREAKWATER_ACQUIRE already"):
        QuotaThrottledInvocation.from_quota_name(other, "Twice", "crm").grant_acquire(producer)


def test_a_name_changes_nothing_of_what_is_deployed(code: dict[str, Any]) -> None:
    """So a quota in use can be given one: what waits and what was counted stays."""

    def resources(**options: Any) -> dict[str, Any]:
        stack = cdk.Stack(cdk.App(), "Stack")
        quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, **options)
        quota.grant_acquire(lambda_.Function(stack, "Page", **code))
        return Template.from_stack(stack).to_json()["Resources"]

    assert resources() == resources(quota_name="crm")


def test_names_are_those_of_an_account_and_region(code: dict[str, Any]) -> None:
    app = cdk.App()
    ireland, ohio = (cdk.Environment(account="1" * 12, region=region) for region in ("eu-west-1", "us-east-2"))
    environments = {"One": ireland, "Two": ireland, "Abroad": ohio, "Any": None}
    stacks = {id: cdk.Stack(app, id, env=env) for id, env in environments.items()}
    users = {id: cdk.Stack(app, id, env=ireland) for id in ("Early", "Late")}
    users["Late"].add_dependency(stacks["One"])
    users["Late"].add_dependency(stacks["Two"])
    users["Nested"] = cdk.NestedStack(stacks["Abroad"], "Nested")
    problems = [
        problem
        for made in (
            *(
                QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, quota_name="crm")
                for stack in stacks.values()
            ),
            *(ImportedQuota(stack, "Theirs", "crm", ordered=False, priority=False) for stack in users.values()),
            ImportedQuota(stacks["One"], "Others", "llm", ordered=False, priority=False),
        )
        for problem in made.node.validate()
    ]
    assert problems == [
        "quota_name='crm' is the name of One/Crm already, in the same account and Region. Give each quota a name of "
        "its own.",
        *(
            f"'crm' is the name of {quota}/Crm in this app, and nothing says that it is deployed first. Use that "
            f"construct itself{advice}."
            for quota, advice in (
                ("One", ", or let the stack Early depend on One"),
                ("Two", ", or let the stack Early depend on Two"),
                ("Abroad", ""),
            )
        ),
    ]


def test_a_fifo_queue_is_one_for_others_too(stack: cdk.Stack) -> None:
    assert QuotaThrottledInvocation.from_quota_name(stack, "Crm", "crm", ordered=True).queue.fifo
    assert not QuotaThrottledInvocation.from_quota_name(stack, "Plain", "crm").queue.fifo


def test_a_name_may_be_a_token(stack: cdk.Stack, code: dict[str, Any]) -> None:
    name = f"crm-{cdk.CfnParameter(stack, 'Phase').value_as_string}"
    QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, quota_name=name)
    names = [output["Export"]["Name"] for output in Template.from_stack(stack).to_json()["Outputs"].values()]
    assert {"Fn::Join": ["", ["breakwater:quota:crm-", {"Ref": "Phase"}, ":queue"]]} in names


@pytest.mark.parametrize("name", ["", "a b", "a:b", "crm.fifo", "ü", "x" * 201, 7])
def test_what_can_be_no_name_is_refused(stack: cdk.Stack, code: dict[str, Any], name: Any) -> None:
    with pytest.raises(BreakwaterError, match="quota_name"):
        QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, quota_name=name)
    with pytest.raises(BreakwaterError, match="quota_name"):
        QuotaThrottledInvocation.from_quota_name(stack, "Theirs", name)


def test_the_page_shares_a_quota_with_another_app(stack: cdk.Stack, code: dict[str, Any]) -> None:
    section = PAGE.partition("## Several stacks and apps")[2].partition("## ")[0]
    here, there = (block.partition("```")[0] for block in section.split("```python\n")[1:])
    names: dict[str, Any] = {"QuotaThrottledInvocation": QuotaThrottledInvocation, "QuotaTier": QuotaTier}
    scope: Any = stack
    exec(here, {**names, "self": scope, "caller": caller(stack, code), "tiers": TIERS})  # noqa: S102 -- of the documentation
    other = cdk.Stack(cdk.App(), "Other")
    producer, page = (lambda_.Function(other, name, **code) for name in ("Producer", "Page"))
    exec(there, {**names, "self": other, "producer": producer, "page": page})  # noqa: S102
    assert imports_of(Template.from_stack(other)) == set(exports_of(Template.from_stack(stack)))
