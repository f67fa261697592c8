"""A share's concurrency as a number: plain where it is known, else a token that raises when it is computed with."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

from aws_cdk import Token

from .._cdk.lazy import lazy_number, lazy_string
from ..errors import BreakwaterError
from ..limits.apportionment import Claim, OversubscribedError, apportion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from .share import ConnectionShare


class Concurrency(int):
    """The concurrency of a share, for any property of an L1 or L2."""

    _share: ConnectionShare
    _resolve: Callable[[], int]

    @staticmethod
    def of(share: ConnectionShare) -> Concurrency:
        """Return the concurrency of a share: a plain number if the share is fixed, else one that is known at synth."""
        if share.fixed is not None:
            return Concurrency._made(share.fixed, share, share.resolve)
        return LazyConcurrency._made(int(lazy_number(share.resolve)), share, share.resolve)

    @classmethod
    def _made(cls, number: int, share: ConnectionShare, resolve: Callable[[], int]) -> Self:
        made = cls(number)
        made._share, made._resolve = share, resolve
        return made

    def split(self, weights: Sequence[float]) -> list[Concurrency]:
        """Divide the concurrency among the event sources of a function or the steps of a state machine.

        Parameters
        ----------
        weights
            One weight for each part, above 0. Each part is at least 1, and all parts together are the whole
            concurrency.

        Returns
        -------
        list of Concurrency
            The parts, in the order of the weights.

        Raises
        ------
        BreakwaterError
            When there are no weights, when a weight is not above 0, or when a fixed share has less than one for each
            part.
        """
        share = self._share
        if not isinstance(weights, (list, tuple)) or not weights or not all(_is_weight(weight) for weight in weights):
            raise BreakwaterError(
                share.budget,
                f"the concurrency of {share.name!r} cannot be split by weights={weights!r}.",
                "Give a list of numbers above 0, such as [1, 2].",
            )
        share.require(len(weights), f"it is split into {len(weights)} parts")
        claims = [Claim(weight=Fraction(weight)) for weight in weights]
        whole = self._resolve

        def part(position: int) -> int:
            try:
                return apportion(whole(), claims)[position]
            except OversubscribedError:
                return 0  # a lazy value must not raise; the budget's validation fails the synth

        return [self._part(lambda position=position: part(position)) for position in range(len(claims))]

    def _part(self, resolve: Callable[[], int]) -> Concurrency:
        return Concurrency._made(resolve(), self._share, resolve)


class LazyConcurrency(Concurrency):
    """A token for a concurrency that is known at synth, when every share has been taken."""

    def _part(self, resolve: Callable[[], int]) -> Concurrency:
        return LazyConcurrency._made(int(lazy_number(resolve)), self._share, resolve)

    def __str__(self) -> str:
        """Return the token as a string, for an environment variable."""
        return lazy_string(lambda: str(self._resolve()))

    def __format__(self, format_spec: str) -> str:
        """Return the token as a string."""
        return str(self) if not format_spec else self._refuse(f":{format_spec}")

    def _refuse(self, operation: str) -> NoReturn:
        raise BreakwaterError(
            self._share.budget,
            f"the concurrency of {self._share.name!r} is known at synth, when every share has been taken, and "
            f"{operation} is asked of it before.",
            "Pass it on as it is, or its parts: share.concurrency.split([1, 1]). With a fixed share (concurrency=…) it "
            "is a plain number.",
        )


def _refused(operation: str) -> Callable[..., NoReturn]:
    def method(self: LazyConcurrency, *_: Any) -> NoReturn:
        self._refuse(operation)

    return method


_OPERATIONS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "divmod": "divmod()", "pow": "**",
    "lshift": "<<", "rshift": ">>", "and": "&", "or": "|", "xor": "^",
}  # fmt: skip
_OTHERS = {
    "neg": "-", "pos": "+", "abs": "abs()", "invert": "~", "int": "int()", "float": "float()", "round": "round()",
    "trunc": "trunc()", "floor": "floor()", "ceil": "ceil()", "lt": "<", "le": "<=",
    "gt": ">", "ge": ">=",
}  # fmt: skip
for _name, _symbol in _OPERATIONS.items():
    setattr(LazyConcurrency, f"__{_name}__", _refused(_symbol))
    setattr(LazyConcurrency, f"__r{_name}__", _refused(_symbol))
for _name, _symbol in _OTHERS.items():
    setattr(LazyConcurrency, f"__{_name}__", _refused(_symbol))


def _is_weight(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 < value < float("inf") and not Token.is_unresolved(value)
