"""Values that are read when the template is written, after every construct and Aspect has had its say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import jsii
from aws_cdk import IStableAnyProducer, IStableNumberProducer, IStableStringProducer, Lazy

if TYPE_CHECKING:
    from collections.abc import Callable


class _Producer:
    def __init__(self, produce: Callable[[], Any]) -> None:
        self._produce = produce

    def produce(self) -> Any:
        return self._produce()


# jsii reads the type of what `produce` returns from the first interface that a class implements, so each has its own.
@jsii.implements(IStableNumberProducer)
class _NumberProducer(_Producer):
    pass


@jsii.implements(IStableStringProducer)
class _StringProducer(_Producer):
    pass


@jsii.implements(IStableAnyProducer)
class _AnyProducer(_Producer):
    pass


def lazy_number(produce: Callable[[], float]) -> int:
    """Wrap a number that is not known yet, as a token for any numeric property."""
    return cast("int", Lazy.number(cast("IStableNumberProducer", _NumberProducer(produce))))


def lazy_string(produce: Callable[[], str]) -> str:
    """Wrap a string that is not known yet, as a token for any property."""
    return Lazy.string(cast("IStableStringProducer", _StringProducer(produce)))


def lazy_any(produce: Callable[[], Any]) -> Any:
    """Wrap a structure that is not known yet."""
    return Lazy.any(cast("IStableAnyProducer", _AnyProducer(produce)))
