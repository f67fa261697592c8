"""What is deployed: the templates of the app's stacks as CloudFormation has them, and what Lambda really reserves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import BreakwaterError
from .reservations import Function, functions_in, state_of_templates
from .stack_resources import stack_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .reservations import Key, State

    Client = Callable[[str], Any]

_NESTED = "AWS::CloudFormation::Stack"


def read_deployed(new: State, assembly: Path, client: Client) -> State:
    """Read who reserves how much in the account, of the stacks that an app has; one that is not deployed has nothing.

    Parameters
    ----------
    new, assembly
        The app.
    client
        Makes the client of a service.
    """
    cloudformation, functions = client("cloudformation"), client("lambda")
    templates: dict[str, list[Function]] = {}
    actual: dict[Key, int] = {}
    for stack in new.stacks:
        templates[stack] = []
        for function, physical_id in deployed_functions(cloudformation, stack):
            templates[stack].append(function)
            number = functions.get_function_concurrency(FunctionName=physical_id).get("ReservedConcurrentExecutions")
            if number is not None:
                actual[function.key] = number
    return state_of_templates(templates, new, assembly, actual)


def read_template(path: Path, new: State, assembly: Path) -> State:
    """Read who reserves how much where one stack's template is known; the others are as the new app has them.

    Raises
    ------
    BreakwaterError
        When it is no template, or of no stack of the app: its name must be that of the stack.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BreakwaterError(
            str(path), "it is not JSON.", "Give a template or a cloud assembly of the CDK."
        ) from error
    stack = path.name.removesuffix(".json").removesuffix(".template")
    if not isinstance(body, dict) or "Resources" not in body:
        raise BreakwaterError(str(path), "it is not a template: it has no Resources.", "Give what `cdk synth` wrote.")
    if stack not in new.stacks:
        raise BreakwaterError(
            str(path),
            f"the app has no stack {stack!r}.",
            f"Name the file after its stack, one of {', '.join(sorted(new.stacks))}, as in Shop.template.json.",
        )
    environments = {key[0]: environment for environment, keys in new.reserved.items() for key in keys}
    functions = list(functions_in(body, stack, environments.get(stack, ""), path.parent))
    return state_of_templates({stack: functions}, new, assembly)


def deployed_functions(cloudformation: Any, stack: str) -> Iterator[tuple[Function, str]]:
    """Give the functions of a deployed stack and of those nested in it, each with its physical id."""
    return _functions(cloudformation, stack, stack, ())


def _functions(cloudformation: Any, stack: str, name: str, ids: tuple[str, ...]) -> Iterator[tuple[Function, str]]:
    try:
        body = cloudformation.get_template(StackName=name)["TemplateBody"]
    except cloudformation.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # it is not deployed
            return
        raise
    template = json.loads(body) if isinstance(body, str) else body
    physical = {
        resource["LogicalResourceId"]: resource.get("PhysicalResourceId")
        for resource in stack_resources(cloudformation, name)
    }
    environment = _environment(cloudformation, name)
    for function in functions_in(template, stack, environment, ids=ids):
        if found := physical.get(function.key[-3]):
            yield function, found
    for id_, resource in template.get("Resources", {}).items():
        if resource.get("Type") == _NESTED and (nested := physical.get(id_)):
            yield from _functions(cloudformation, stack, nested, (*ids, id_))


def _environment(cloudformation: Any, name: str) -> str:
    parts = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"].split(":")
    return f"aws://{parts[4]}/{parts[3]}"
