"""One resource of a template, and the answers to what its properties say."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from .answers import ABSENT, Absent, Amount, Block, Items, Reference, Unknown, parameter_of

if TYPE_CHECKING:
    from .answers import Answer
    from .template import Template


# Below it the CDK encodes numbers that it does not know yet; a synth that failed may leave them in a template.
_TOKEN = -1e280


@dataclass(eq=False)
class Resource:
    """One resource of a template."""

    template: Template = field(repr=False)
    logical_id: str
    body: dict[str, Any] = field(repr=False)

    @property
    def type(self) -> str:
        """Such as ``AWS::SQS::Queue``."""
        return self.body["Type"]

    @property
    def properties(self) -> Block | Unknown:
        """All properties."""
        written = self.body.get("Properties")
        answer = self.template.resolve(written) if written else ABSENT
        if isinstance(answer, Block | Unknown):
            return answer
        return Block(self.template, {}) if answer is ABSENT else Unknown()

    @property
    def metadata(self) -> dict[str, Any]:
        """What the template says about it beside its properties."""
        metadata = self.body.get("Metadata")
        return metadata if isinstance(metadata, dict) else {}

    @property
    def name(self) -> str:
        """The construct's path where the CDK made the template, else the logical id."""
        path = self.metadata.get("aws:cdk:path")
        return path.removesuffix("/Resource") if isinstance(path, str) else self.logical_id

    @property
    def exists(self) -> bool:
        """Whether the template makes it, by its condition."""
        condition = self.body.get("Condition")
        return self.template.condition(condition) if isinstance(condition, str) else True

    def get(self, *path: str) -> Answer:
        """Give the answer to a property, a level deeper for each name."""
        properties = self.properties
        return properties.get(*path) if isinstance(properties, Block) else properties

    def block(self, *path: str) -> Block | Absent | Unknown:
        """Give a group of properties."""
        answer = self.get(*path)
        return answer if isinstance(answer, Block | Unknown) or answer is ABSENT else Unknown()

    def items(self, *path: str) -> Items | Absent | Unknown:
        """Give a list."""
        answer = self.get(*path)
        return answer if isinstance(answer, Items | Unknown) or answer is ABSENT else Unknown()

    def text(self, *path: str) -> str | Absent | Unknown:
        """Give a text; a number is one as well."""
        return as_text(self.get(*path))

    def number(self, *path: str, default: float) -> Amount | Unknown:
        """Give a number, the default where it isn't set."""
        return as_number(self.get(*path), default)

    def limit(self, *path: str) -> Amount | Absent | Unknown:
        """Give a number that has no default."""
        answer = self.get(*path)
        return ABSENT if answer is ABSENT else as_number(answer, 0)

    def flag(self, *path: str, default: bool = False) -> bool | Unknown:
        """Give a yes or no, also where it is written as text."""
        answer = self.get(*path)
        if isinstance(answer, bool):
            return answer
        if answer is ABSENT:
            return default
        known = {"true": True, "false": False, "1": True, "0": False}
        return known.get(str(answer).lower(), Unknown()) if isinstance(answer, str | int) else Unknown()

    def target(self, *path: str, of: str | tuple[str, ...] = ()) -> Resource | None:
        """Give the resource that a property refers to: by a reference, its ARN, its URL or its name.

        Parameters
        ----------
        path
            The property.
        of
            The types that a plain name may stand for.
        """
        return self.template.assembly.names.resource(self.template, self.get(*path), of)

    def targets(self, *path: str, of: str | tuple[str, ...] = ()) -> list[Resource]:
        """Give the resources that a list refers to."""
        answer = self.get(*path)
        items = list(answer) if isinstance(answer, Items) else [] if answer is ABSENT else [answer]
        found = [self.template.assembly.names.resource(self.template, item, of) for item in items]
        return [resource for resource in found if resource is not None]

    def references(self, *path: str) -> set[Reference]:
        """Give everything that a property refers to, however deep; without a path, everything that any of them does."""
        value: Any = self.body.get("Properties")
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return set(self.template.references(value))


def as_text(answer: Answer) -> str | Absent | Unknown:
    """Take an answer as a text; a number is one as well."""
    if isinstance(answer, str | Unknown) or answer is ABSENT:
        return answer
    return str(answer) if isinstance(answer, int | float) and not isinstance(answer, bool) else Unknown()


def as_number(answer: Answer, default: float) -> Amount | Unknown:
    """Take an answer as a number."""
    if answer is ABSENT:
        return Amount(default)
    if isinstance(answer, str | int | float) and not isinstance(answer, bool):
        try:
            amount = Amount(answer, parameter_of(answer))
        except (ValueError, OverflowError):
            return Unknown()
        return amount if isfinite(amount) and amount > _TOKEN else Unknown()
    return answer if isinstance(answer, Unknown) else Unknown()
