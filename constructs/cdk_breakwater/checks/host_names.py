"""Addresses under names of their own: records of Route 53 that lead to a server."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from .answers import Block, Items, known_text, references_in
from .resource import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .answers import Answer, Reference
    from .assembly import Assembly
    from .resource import Resource
    from .template import Template

_RECORD = "AWS::Route53::RecordSet"
_GROUP = "AWS::Route53::RecordSetGroup"
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+")
# How many records may lead to one another.
_LONGEST = 5


class _Record(NamedTuple):
    template: Template
    references: frozenset[Reference]


def addresses_in(resource: Resource, answer: Answer) -> frozenset[Reference]:
    """Give what a value of a resource refers to, by itself or by the name of a record."""
    found = set(references_in(answer))
    by_name = _records(resource.template.assembly)
    if by_name:
        for name in _names_in(answer):
            found |= _behind(resource.template, by_name, name)
        for _ in range(_LONGEST):
            records = [each.resource for each in found if each.resource.type == _RECORD]
            found |= {reference for record in records for reference in _leads_to(record)}
    return frozenset(found)


def _names_in(answer: Answer) -> set[str]:
    text = known_text(answer)
    return {_key(text), *map(_key, _HOST.findall(text) if isinstance(answer, str) else ())}


def _behind(template: Template, by_name: dict[str, list[_Record]], name: str) -> set[Reference]:
    records = by_name.get(name, [])
    own = [record for record in records if record.template is template]
    # As with other names: stages of one app in one folder don't tell which is meant.
    others = records if "{" not in name and len({id(record.template) for record in records}) == 1 else []
    return {reference for record in own or others for reference in record.references}


def _records(assembly: Assembly) -> dict[str, list[_Record]]:
    return assembly.choices.cached("records", lambda: _by_name(assembly))


def _by_name(assembly: Assembly) -> dict[str, list[_Record]]:
    found: defaultdict[str, list[_Record]] = defaultdict(list)
    for record in assembly.resources(_RECORD):
        if name := _name(record.get("Name")):
            found[name].append(_Record(record.template, frozenset(_leads_to(record))))
    for group in assembly.resources(_GROUP):
        inline = group.items("RecordSets")
        for each in inline if isinstance(inline, Items) else ():
            if isinstance(each, Block) and (name := _name(each.get("Name"))):
                values = [each.body.get("ResourceRecords"), each.body.get("AliasTarget")]
                found[name].append(_Record(group.template, frozenset(each.template.references(values))))
    return dict(found)


def _leads_to(record: Resource) -> Iterator[Reference]:
    yield from record.references("ResourceRecords")
    yield from record.references("AliasTarget", "DNSName")


def _name(answer: Answer) -> str:
    return _key(known_text(as_text(answer)))


def _key(name: str) -> str:
    return name.rstrip(".").lower()
