"""What a parameter takes, looked at before it meets arithmetic, jsii or the CDK, whose errors name no construct."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from aws_cdk import Token

from ..errors import BreakwaterError
from .kinds import is_alarm_action, is_duration, is_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from constructs import IConstruct


class Kind(NamedTuple):
    """What a parameter takes, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]


def having(attribute: str, words: str) -> Kind:
    """Take what implements one of the CDK's interfaces, which only its attributes tell in Python."""

    def fits(value: Any) -> bool:
        return hasattr(value, attribute)

    return Kind(words, fits)


def instance_of(type_: type[Any], words: str) -> Kind:
    """Take the instances of a class."""

    def fits(value: Any) -> bool:
        return isinstance(value, type_)

    return Kind(words, fits)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_above_zero(value: Any) -> bool:
    return _is_number(value) and not Token.is_unresolved(value) and value > 0


def _is_port(value: Any) -> bool:
    return _is_number(value) and (Token.is_unresolved(value) or (value == int(value) and 1 <= value <= _LAST_PORT))


def _is_seconds(value: Any) -> bool:
    return is_duration(value) and not value.is_unresolved() and value.to_milliseconds() % 1000 == 0


def _are_mappings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, dict) for each in value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


def _is_alarm_target(value: Any) -> bool:
    return is_topic(value) or is_alarm_action(value)


_LAST_PORT = 65535
_VOWELS = ("A", "E", "I", "O")
FLAG = instance_of(bool, "True or False")
TEXT = Kind("a text that is not empty", _is_text)
ABOVE_ZERO = Kind("a number above 0 that is known at synth", _is_above_zero)
PORT = Kind("a port, 1 to 65535", _is_port)
TEXTS = Kind("a list of texts, such as ['pymysql==1.2.4']", _are_texts)
SIZE = having("to_kibibytes", "a Size, such as Size.kibibytes(64)")
ALARM_TARGET = Kind(
    "an sns.Topic (an imported one: sns.Topic.from_topic_arn), or an action of aws_cloudwatch_actions",
    _is_alarm_target,
)
DURATION = Kind("a Duration, such as Duration.seconds(30)", is_duration)
SECONDS = Kind("a Duration of whole seconds that is known at synth", _is_seconds)
FUNCTION = having("function_arn", "a lambda_.Function, an alias or a version")
FILTERS = Kind("a list of lambda_.FilterCriteria.filter(…)", _are_mappings)
KEY = having("key_arn", "a kms.Key, or an imported one")
SECRET = having("secret_arn", "a secretsmanager.Secret, or an imported one")
SECURITY_GROUP = having("security_group_id", "an ec2.SecurityGroup, or an imported one")
SUBNETS = having("subnet_group_name", "an ec2.SubnetSelection")
VPC = having("vpc_id", "an ec2.Vpc, or an imported one")


def require(
    where: IConstruct | str, given: Mapping[str, Any], kinds: Mapping[str, Kind], *, needed: Collection[str] = ()
) -> None:
    """Refuse the first argument that is not of its kind.

    Parameters
    ----------
    where
        The construct, or its path.
    given
        The arguments by name.
    kinds
        What each takes; None stands for the default.
    needed
        Those without a default.

    Raises
    ------
    BreakwaterError
        With the parameter, the value, and what would be right.
    """
    for name, kind in kinds.items():
        value = given[name]
        if (value is not None or name in needed) and not kind.fits(value):
            raise BreakwaterError(where, f"{name} is {shown(value)}.", f"Give {kind.words}.")


def shown(value: Any) -> str:
    """Write a value as a reader of an error knows it."""
    if isinstance(value, float) and math.isfinite(value) and Token.is_unresolved(value):
        return f"a token ({Token.as_string(value)})"
    if is_duration(value):
        return "a token" if value.is_unresolved() else value.to_human_string()
    if value is None or isinstance(value, (str, int, float, list, tuple, dict)):
        return repr(value)
    if isinstance(value, Enum):
        return str(value)
    name = type(value).__name__
    if name.startswith("_") and name.endswith("Proxy"):  # jsii's class of what only its interface tells
        return f"an imported {name[1:-5].removesuffix('Base').removeprefix('I')}"
    return f"{'an' if name.startswith(_VOWELS) else 'a'} {name}"
