"""What a template says about a value: the value, that there is none, or that only the deployment knows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .resource import Resource
    from .template import Template


class Absent(Enum):
    """A property that isn't set, so that its default holds."""

    ABSENT = "absent"

    def __bool__(self) -> NoReturn:
        raise TypeError("Ask whether an answer `is ABSENT`: that it is not set is no value.")


ABSENT = Absent.ABSENT


class Reference(NamedTuple):
    """A resource, or an attribute of it, that a value refers to."""

    resource: Resource
    attribute: str | None

    @property
    def placeholder(self) -> str:
        """What stands for it in a text: ``{Orders.Arn}``."""
        return f"{{{self.resource.logical_id}{'.' + self.attribute if self.attribute else ''}}}"


@dataclass(frozen=True)
class Unknown:
    """A value that is known at deployment only.

    Parameters
    ----------
    text
        What is known of it, with what is not in braces: ``arn:{AWS::Partition}:sqs:{AWS::Region}:…:orders``.
    references
        The resources in it.
    """

    text: str = ""
    references: frozenset[Reference] = field(default_factory=frozenset)

    def __bool__(self) -> NoReturn:
        raise TypeError("Ask whether an answer is an instance of `Unknown`: it is no value.")


UNKNOWN = Unknown()


class DefaultText(str):
    """A literal that holds unless the deployment gives a parameter another value.

    Attributes
    ----------
    parameter
        The parameter whose default it is.
    """

    __slots__ = ("parameter",)

    parameter: str

    def __new__(cls, value: object, parameter: str) -> DefaultText:
        """Take the default of a parameter."""
        self = super().__new__(cls, value)
        self.parameter = parameter
        return self


class Amount(float):
    """A number, and the parameter whose default it is, if it is one."""

    __slots__ = ("parameter",)

    parameter: str | None

    def __new__(cls, value: float | str, parameter: str | None = None) -> Amount:
        """Take a number, and the parameter whose default it is."""
        self = super().__new__(cls, value)
        self.parameter = parameter
        return self


@dataclass(frozen=True, eq=False)
class Block:
    """A group of properties."""

    template: Template = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)

    def get(self, *path: str) -> Answer:
        """Give the answer to a property, a level deeper for each name."""
        block: Block = self
        for number, name in enumerate(path):
            answer = block.template.resolve(block.body[name]) if name in block.body else block.unset
            if number < len(path) - 1 and isinstance(answer, str | Unknown):
                # What is JSON for CloudFormation may be a text of JSON.
                answer = _read(block.template, answer)
            if number == len(path) - 1 or not isinstance(answer, Block):
                # What lies beneath text, a list or an unknown value is nothing that a template can tell.
                known = number == len(path) - 1 or answer is ABSENT
                return answer if known else UNKNOWN
            block = answer
        return self

    @property
    def unset(self) -> Absent | Unknown:
        """The answer to what isn't written: a macro such as ``AWS::Include`` may write more."""
        return UNKNOWN if "Fn::Transform" in self.body else ABSENT

    def names(self) -> Iterator[str]:
        """Give the names of what is written."""
        return iter(self.body)

    def __bool__(self) -> bool:
        return bool(self.body)


@dataclass(frozen=True, eq=False)
class Items:
    """A list."""

    template: Template = field(repr=False)
    body: Sequence[Any] = field(repr=False)

    def __iter__(self) -> Iterator[Known | Unknown]:
        """Give each item's answer; ``AWS::NoValue`` is no item."""
        for value in self.body:
            answer = self.template.resolve(value)
            if answer is not ABSENT:
                yield answer


def _read(template: Template, answer: str | Unknown) -> Block | str | Unknown:
    """Read a text of JSON; what isn't one stays as it is."""
    text = answer.text if isinstance(answer, Unknown) else answer
    if not text.lstrip().startswith("{"):
        return answer
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return answer
    return Block(template, {name: _part(answer, value) for name, value in body.items()})


def _part(whole: str | Unknown, value: Any) -> Any:
    """Give one value of a text of JSON, as it would be if it stood in the template itself."""
    parameter = parameter_of(whole)
    if parameter is not None and isinstance(value, str | int | float) and not isinstance(value, bool):
        return DefaultText(value, parameter)
    if not isinstance(whole, Unknown) or not isinstance(value, str) or "{" not in value:
        return value
    for reference in whole.references:
        if value == reference.placeholder:
            return reference
    return Unknown(value, whole.references)


Known: TypeAlias = "str | int | float | bool | Reference | Block | Items"
Answer: TypeAlias = "Known | Absent | Unknown"


def texts(answer: Answer) -> list[str | Unknown]:
    """Give a list of texts, also where one text stands for a list; what is no text is unknown."""
    if answer is ABSENT:
        return []
    items = list(answer) if isinstance(answer, Items) else [answer]
    return [item if isinstance(item, str) else item if isinstance(item, Unknown) else UNKNOWN for item in items]


def known_text(answer: Answer) -> str:
    """Give a text as far as it is known, with placeholders for the rest; empty for what is none."""
    if isinstance(answer, Unknown):
        return answer.text
    return answer if isinstance(answer, str) else ""


def references_in(answer: Answer) -> frozenset[Reference]:
    """Give the references that an answer is or contains."""
    if isinstance(answer, Reference):
        return frozenset({answer})
    return answer.references if isinstance(answer, Unknown) else frozenset()


def parameter_of(value: object) -> str | None:
    """Name the parameter whose default a value is."""
    return value.parameter if isinstance(value, Amount | DefaultText) else None
