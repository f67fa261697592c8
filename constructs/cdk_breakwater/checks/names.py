"""Resources by their names and ARNs, as templates mention them beside references."""

from __future__ import annotations

import re
from collections import defaultdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from .answers import ABSENT, Answer, Reference, Unknown, known_text
from .resource import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .assembly import Assembly
    from .resource import Resource
    from .template import Template

# The property that names a resource, and the service in its ARN.
_NAMES = {
    "AWS::Lambda::Function": ("FunctionName", "lambda"),
    "AWS::SQS::Queue": ("QueueName", "sqs"),
    "AWS::SNS::Topic": ("TopicName", "sns"),
    "AWS::Kinesis::Stream": ("Name", "kinesis"),
    "AWS::DynamoDB::Table": ("TableName", "dynamodb"),
    "AWS::DynamoDB::GlobalTable": ("TableName", "dynamodb"),
    "AWS::IAM::Role": ("RoleName", "iam"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "iam"),
    "AWS::SecretsManager::Secret": ("Name", "secretsmanager"),
    "AWS::SSM::Parameter": ("Name", "ssm"),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", "states"),
    "AWS::RDS::DBInstance": ("DBInstanceIdentifier", "rds"),
    "AWS::RDS::DBCluster": ("DBClusterIdentifier", "rds"),
    "AWS::RDS::DBProxy": ("DBProxyName", "rds"),
    "AWS::RDS::DBParameterGroup": ("DBParameterGroupName", "rds"),
    "AWS::RDS::DBClusterParameterGroup": ("DBClusterParameterGroupName", "rds"),
    "AWS::DocDB::DBInstance": ("DBInstanceIdentifier", "rds"),
    "AWS::DocDB::DBCluster": ("DBClusterIdentifier", "rds"),
    "AWS::Neptune::DBCluster": ("DBClusterIdentifier", "rds"),
    "AWS::ElastiCache::ReplicationGroup": ("ReplicationGroupId", "elasticache"),
    "AWS::ElastiCache::CacheCluster": ("ClusterName", "elasticache"),
    "AWS::ApiGateway::Stage": ("StageName", ""),
}
# A part of an ARN; what isn't known stands in braces, such as {AWS::Region}.
_PART = r"(?:\{[^}]*\}|[^:{])*"
_ARN = re.compile(rf"arn:{_PART}:([a-z0-9-]+):{_PART}:{_PART}:(.+)", re.DOTALL)
_QUEUE_URL = re.compile(r"https://[^/]+/[^/]+/([^/]+)")
# A dynamic reference to a parameter of Parameter Store, with or without its version.
_DYNAMIC = re.compile(r"\{\{resolve:ssm:((?:[\w.\-/]|\{[^{}]*\})+)(?::\d+)?\}\}")
_SSM = "AWS::SSM::Parameter"
# What dynamic references in a text name: a parameter, or a secret by its name.
_IN_TEXT = {
    _SSM: _DYNAMIC,
    "AWS::SecretsManager::Secret": re.compile(r"\{\{resolve:secretsmanager:((?:[\w.\-/+=@]|\{[^{}]*\})+)(?=:|\}\})"),
}
# A function's name or ARN with a qualifier after it: {Orders.Arn}:live, {Orders}:$LATEST.
_QUALIFIED = re.compile(r"\{(\w+)(?:\.Arn)?\}:(?:[\w$-]|\{[^{}]*\})+")
_PLACEHOLDER = re.compile(r"\{([^{}.]+)(?:\.[^{}]*)?\}")


class Names:
    """The named resources of an assembly."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._indexing = False

    def resource(self, template: Template, answer: Answer, of: str | tuple[str, ...] = ()) -> Resource | None:
        """Give the resource that an answer stands for: a reference, an ARN, a URL, or a name of one of some types."""
        if isinstance(answer, Reference):
            return answer.resource
        text = known_text(answer)
        if not text:
            if isinstance(answer, Unknown) and len({reference.resource for reference in answer.references}) == 1:
                return next(iter(answer.references)).resource
            return None
        return self._by_text(template, text, (of,) if isinstance(of, str) else of)

    def _by_text(self, template: Template, text: str, wanted: tuple[str, ...]) -> Resource | None:
        if qualified := _QUALIFIED.fullmatch(text):
            function = template.resources.get(qualified[1])
            return function if function is not None and function.type == "AWS::Lambda::Function" else None
        if arn := _ARN.fullmatch(text):
            types = tuple(type_ for type_, (_, service) in _NAMES.items() if service == arn[1])
            return self._named(template, _last(arn[1], arn[2]), types)
        if url := _QUEUE_URL.fullmatch(text):
            return self._named(template, url[1], ("AWS::SQS::Queue",))
        return self._named(template, text, wanted) if wanted else None

    def matching(self, template: Template, answer: Answer) -> list[Resource]:
        """Give the resources whose ARNs a pattern takes in, such as ``arn:aws:ssm:*:*:parameter/shop/*``."""
        arn = _ARN.fullmatch(known_text(answer))
        if arn is None or not {"*", "?"} & {*arn[2]}:
            return []
        service, pattern = arn[1], _last(arn[1], arn[2])
        if not pattern.strip("*?"):
            return []  # all of a kind are not named
        index: dict[tuple[str, str], list[Resource]] = self._assembly.choices.cached("names", self._index)
        # Secrets Manager ends the ARN of a secret with a hyphen and six characters.
        end = "-abcdef" if service == "secretsmanager" else ""
        found = [
            resource
            for (type_, name), resources in index.items()
            if _NAMES[type_][1] == service and fnmatchcase(name + end, pattern)
            for resource in resources
        ]
        own = [resource for resource in found if resource.template is template]
        return own or (found if "{" not in pattern else [])

    def parameter(self, template: Template, name: str) -> Resource | None:
        """Give the parameter of Parameter Store that has a name, with or without the slash that begins it."""
        # What is called after a parameter is not asked while names are put together.
        return None if self._indexing else self._named(template, name, (_SSM,))

    def in_text(self, template: Template, text: str) -> Iterator[Resource]:
        """Give the parameters and secrets that dynamic references in a text stand for."""
        if not self._indexing:
            for type_, pattern in _IN_TEXT.items():
                for name in pattern.findall(text):
                    if (found := self._named(template, name, (type_,))) is not None:
                        yield found

    def _named(self, template: Template, name: str, types: tuple[str, ...]) -> Resource | None:
        if placeholder := _PLACEHOLDER.fullmatch(name):
            resource = template.resources.get(placeholder[1])
            if resource is not None and (not types or resource.type in types):
                return resource
        index: dict[tuple[str, str], list[Resource]] = self._assembly.choices.cached("names", self._index)
        found = [resource for type_ in types for resource in index.get((type_, _key(type_, name)), ())]
        own = [resource for resource in found if resource.template is template]
        # Files of one folder may be stages of one app, with the same names: then nothing tells which is meant. And a
        # name that is made of a parameter is another one elsewhere.
        others = found if "{" not in name else []
        chosen = own or others
        return chosen[0] if len(chosen) == 1 else None

    def _index(self) -> dict[tuple[str, str], list[Resource]]:
        self._indexing = True
        try:
            return self._by_name()
        finally:
            self._indexing = False

    def _by_name(self) -> dict[tuple[str, str], list[Resource]]:
        index: defaultdict[tuple[str, str], list[Resource]] = defaultdict(list)
        for type_, (property_, _) in _NAMES.items():
            for resource in self._assembly.resources(type_):
                answer = as_text(resource.get(property_))
                if answer is ABSENT:
                    continue
                text = answer.text if isinstance(answer, Unknown) else str(answer)
                if text:
                    index[type_, _key(type_, text)].append(resource)
        return dict(index)


def _key(type_: str, name: str) -> str:
    # The ARN of /shop/host is parameter/shop/host, and that of host is parameter/host.
    return name.lstrip("/") if type_ == _SSM else name


def _last(service: str, rest: str) -> str:
    """Take the name out of the last part of an ARN."""
    if service == "lambda":
        name = re.match(_PART, rest.removeprefix("function:"))
        return name[0] if name else rest
    if service == "dynamodb":
        return rest.removeprefix("table/").split("/")[0]
    if service == "kinesis":
        return rest.removeprefix("stream/").split("/")[0]
    if service == "ssm":
        return rest.removeprefix("parameter").lstrip("/")
    if service in ("rds", "secretsmanager", "states", "elasticache"):
        return rest.partition(":")[2] or rest
    return rest.rsplit("/", 1)[-1]
