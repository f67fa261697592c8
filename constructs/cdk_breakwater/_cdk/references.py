"""Which constructs a value refers to, however deep in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import DefaultTokenResolver, Reference, StringConcat, Tokenization

if TYPE_CHECKING:
    from aws_cdk import IPostProcessor, IResolvable, IResolveContext, ITokenResolver
    from constructs import IConstruct


class _Observer(DefaultTokenResolver):
    def __init__(self) -> None:
        super().__init__(StringConcat())
        self.targets: list[IConstruct] = []

    def resolve_token(self, t: IResolvable, context: IResolveContext, post_processor: IPostProcessor) -> Any:
        if Reference.is_reference(t):
            self.targets.append(cast("Reference", t).target)
        return super().resolve_token(t, context, post_processor)


def references(value: Any, scope: IConstruct) -> list[IConstruct]:
    """Find the constructs whose attributes a value is made of.

    Parameters
    ----------
    value
        Any value with tokens in it.
    scope
        Where it is used.
    """
    observer = _Observer()
    Tokenization.resolve(value, scope=scope, resolver=cast("ITokenResolver", observer), preparing=False)
    return observer.targets
