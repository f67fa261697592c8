"""A CloudFormation template: its resources, and what its parameters, mappings and conditions say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .answers import ABSENT, UNKNOWN, Answer, Block, DefaultText, Items, Reference, Unknown
from .conditions import holds, switches
from .intrinsics import FUNCTIONS, references
from .loops import expand
from .resource import Resource, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from .assembly import Assembly

_SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs")
# Far beyond what CloudFormation allows; a template that nests deeper is answered with "unknown".
_DEEPEST = 60


@dataclass(eq=False)
class Template:
    """One template of an assembly.

    Parameters
    ----------
    assembly
        The templates that it may refer to.
    path
        Its file.
    body
        Its text, parsed.
    environment
        The account and Region of the stack, as in ``aws://123456789012/eu-west-1``; None where nothing tells them.
    arguments
        The values of parameters that are sure: those of the deployment.
    nested_by
        For the template of a nested stack: the resource in the parent that makes it.

    Attributes
    ----------
    resources
        Its resources, by their logical ids.
    open_loops
        How many loops are not written out, as their collections are known at deployment only.
    """

    assembly: Assembly = field(repr=False)
    path: Path
    body: dict[str, Any] = field(repr=False)
    environment: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)
    nested_by: Resource | None = None
    resources: dict[str, Resource] = field(init=False, repr=False)
    open_loops: int = field(init=False, default=0, repr=False)

    def __post_init__(self) -> None:
        sections = {name: self.body.get(name) for name in _SECTIONS}
        self._sections = {name: body if isinstance(body, dict) else {} for name, body in sections.items()}
        self._resolving: set[tuple[str, str]] = set()
        self._depth = 0
        self.resources = {}
        self._switches = switches(self._sections["Conditions"])
        # Looking for the word is quicker than copying each template to find that it has none.
        if "Fn::ForEach::" in repr(self.body):
            self._sections = {name: expand(body, self._collection) for name, body in self._sections.items()}
            self._switches = switches(self._sections["Conditions"])
        for id_, body in self._sections["Resources"].items():
            if isinstance(id_, str) and isinstance(body, dict) and isinstance(body.get("Type"), str):
                self.resources[id_] = Resource(self, id_, body)

    @property
    def written_out(self) -> dict[str, Any]:
        """Give its text with all loops written out."""
        return {**self.body, **{name: body for name, body in self._sections.items() if name in self.body}}

    @property
    def root(self) -> Template:
        """The template that is deployed, for that of a nested stack."""
        template = self
        while template.nested_by is not None:
            template = template.nested_by.template
        return template

    @property
    def parameters(self) -> Iterable[str]:
        """Give the names of its parameters."""
        return self._sections["Parameters"].keys()

    @property
    def outputs(self) -> Iterator[tuple[str, Block]]:
        """Give the outputs that this world has."""
        for name, body in self._sections["Outputs"].items():
            if isinstance(body, dict) and (
                not isinstance(condition := body.get("Condition"), str) or self.condition(condition)
            ):
                yield name, Block(self, body)

    def output(self, name: str) -> Answer:
        """Give the value of an output."""
        body = self._sections["Outputs"].get(name)
        if not isinstance(body, dict):
            return UNKNOWN
        return self._once("output", name, lambda: Block(self, body).get("Value"))

    def resolve(self, value: Any) -> Answer:  # noqa: PLR0911 -- one answer for each kind of value
        """Answer what a value is: follow its functions, across nested and other stacks."""
        if isinstance(value, str):
            # A dynamic reference: AWS CloudFormation User Guide, "Get values stored in other services".
            return self.dynamic(value) if "{{resolve:" in value else value
        if isinstance(value, bool | int | float):
            return value
        if isinstance(value, list):
            return Items(self, value)
        if not isinstance(value, dict):
            return ABSENT if value is None else value if isinstance(value, Reference | Unknown) else UNKNOWN
        if len(value) != 1:
            return Block(self, value)
        ((function, argument),) = value.items()
        if function not in FUNCTIONS:
            return UNKNOWN if isinstance(function, str) and function.startswith("Fn::") else Block(self, value)
        if self._depth > _DEEPEST:
            return UNKNOWN
        self._depth += 1
        try:
            return FUNCTIONS[function](self, argument)
        finally:
            self._depth -= 1

    def dynamic(self, text: str, found: frozenset[Reference] = frozenset()) -> Unknown:
        """Answer a text with dynamic references: what a parameter of the templates stands for is what is in it."""
        for resource in self.assembly.names.in_text(self, text):
            is_secret = resource.type == "AWS::SecretsManager::Secret"
            found |= {Reference(resource, None)} if is_secret else self._in_value(resource)
        return Unknown(text, found)

    def references(self, value: Any) -> Iterator[Reference]:
        """Find every reference in a value, however deep."""
        return references(self, value, _DEEPEST)

    def condition(self, name: str) -> bool:
        """Tell whether a condition holds in the world that is looked at."""
        if name not in self._sections["Conditions"] or ("condition", name) in self._resolving:
            return bool(self.assembly.choices.take((self, "condition", name), (True, False)))
        self._resolving.add(("condition", name))
        try:
            return holds(self, self._sections["Conditions"][name])
        finally:
            self._resolving.discard(("condition", name))

    def ref(self, name: str) -> Answer:
        """Answer ``Ref``: a resource, a parameter or a pseudo parameter."""
        if name in self.resources:
            return Reference(self.resources[name], None)
        if name == "AWS::NoValue":
            return ABSENT
        if name.startswith("AWS::"):
            return self._pseudo_parameter(name)
        return self._once("parameter", name, lambda: self._parameter(name))

    def attribute(self, name: str, attribute: str) -> Answer:
        """Answer ``Fn::GetAtt``."""
        resource = self.resources.get(name)
        if resource is None:
            return UNKNOWN
        nested = self.assembly.nested_in(resource)
        if nested is not None and attribute.startswith("Outputs."):
            return nested.output(attribute.removeprefix("Outputs."))
        if resource.type == "AWS::SSM::Parameter" and attribute == "Value":
            value = self._once("value", name, lambda: resource.get("Value"))
            # A plain text says nothing of what changes it meanwhile.
            return value if isinstance(value, Reference | Unknown) else Reference(resource, attribute)
        if resource.type == "Custom::BreakwaterGate":
            # A reservation that the deployment guard answers: in the end it is the share.
            share = resource.get("Functions", attribute, "Share")
            return share if isinstance(share, Unknown) or share is ABSENT else int(str(share))
        return Reference(resource, attribute)

    def variable(self, name: str) -> Answer:
        """Answer what stands for ``${name}`` in ``Fn::Sub``."""
        name = name.strip()
        return self.attribute(*name.split(".", 1)) if "." in name else self.ref(name)

    def mapping(self, *keys: str | Unknown) -> Answer:
        """Answer ``Fn::FindInMap``: where a key is unknown, the value that all of them have, if it is one."""
        found: list[Any] = [self._sections["Mappings"]]
        for key in keys:
            branches = [value for value in found if isinstance(value, dict)]
            if isinstance(key, Unknown):
                found = [inner for value in branches for inner in value.values()]
            else:
                found = [value[str(key)] for value in branches if str(key) in value]
        distinct = {json.dumps(value, default=str, sort_keys=True): value for value in found}
        if len(distinct) != 1:
            return UNKNOWN
        (value,) = distinct.values()
        parameter = next((key.parameter for key in keys if isinstance(key, DefaultText)), None)
        if parameter is not None and isinstance(value, str | int | float):
            return DefaultText(value, parameter)
        return self.resolve(value)

    def _parameter(self, name: str) -> Answer:
        declared = self._sections["Parameters"].get(name)
        if name in self.arguments:
            given = self.arguments[name]
            is_list = isinstance(declared, dict) and _is_list(str(declared.get("Type")))
            return Items(self, [part.strip() for part in given.split(",")]) if is_list else given
        if self.nested_by is not None:
            parameters = self.nested_by.block("Parameters")
            answer = parameters.get(name) if isinstance(parameters, Block) else parameters
            if answer is not ABSENT:
                return answer
        if not isinstance(declared, dict):
            return UNKNOWN
        if name in self._switches:
            return self.assembly.choices.take((self, name), self._candidates(name, declared))
        return self._default(name, declared)

    def _default(self, name: str, declared: Mapping[str, Any]) -> Answer:
        default, type_ = declared.get("Default"), str(declared.get("Type"))
        if not isinstance(default, str | int | float) or type_.startswith("AWS::SSM::"):
            return Unknown(f"{{{name}}}")
        if isinstance(default, bool):
            return DefaultText(str(default).lower(), name)
        if _is_list(type_):
            return Items(self, [DefaultText(part.strip(), name) for part in str(default).split(",")])
        return DefaultText(default, name)

    def _candidates(self, name: str, declared: Mapping[str, Any]) -> list[Answer]:
        """Give the values of a parameter that conditions tell apart, its default first."""
        default = self._default(name, declared)
        allowed = declared.get("AllowedValues")
        if isinstance(allowed, list) and allowed:
            others: list[Answer] = [DefaultText(value, name) for value in map(str, allowed)]
        else:
            others = [DefaultText(value, name) for value in self._switches[name]]
            if isinstance(default, Unknown | Items) or default in self._switches[name]:
                others.append(Unknown(f"{{{name}}}"))
        if isinstance(default, Unknown):
            return others
        return [default, *(other for other in others if other != default)]

    def _pseudo_parameter(self, name: str) -> Answer:
        environment = (self.root.environment or "").removeprefix("aws://").split("/")
        if len(environment) == 2:
            known = dict(zip(("AWS::AccountId", "AWS::Region"), environment, strict=True)).get(name, "unknown")
            if not known.startswith("unknown"):
                return known
        unknown = Unknown(f"{{{name}}}")
        if name in self._switches:
            candidates = [*self._switches[name], unknown]
            return self.assembly.choices.take((self.root, name), candidates)
        return unknown

    def _in_value(self, parameter: Resource) -> frozenset[Reference]:
        key = ("in value", parameter.logical_id)
        if key in self._resolving:  # it stands for itself
            return frozenset()
        self._resolving.add(key)
        try:
            return frozenset(parameter.references("Value"))
        finally:
            self._resolving.discard(key)

    def _collection(self, value: Any) -> list[str] | None:
        answer = self.resolve(value)
        found = [as_text(item) for item in (answer if isinstance(answer, Items) else [])]
        literals = [item for item in found if isinstance(item, str)]
        known = isinstance(answer, Items) and len(literals) == len(found)
        self.open_loops += not known
        return literals if known else None

    def _once(self, kind: str, name: str, answer: Any) -> Answer:
        """Answer, but not for what is asked while its own answer is sought."""
        if (kind, name) in self._resolving:
            return UNKNOWN
        self._resolving.add((kind, name))
        try:
            return answer()
        finally:
            self._resolving.discard((kind, name))


def _is_list(parameter_type: str) -> bool:
    return parameter_type == "CommaDelimitedList" or parameter_type.startswith("List<")
