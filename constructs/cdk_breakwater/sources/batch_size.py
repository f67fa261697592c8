"""How many records an invocation is given: so many that it begins each of them before its time is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import Annotations

from .._cdk.function_qualifiers import unqualified
from .._cdk.function_settings import rendered_timeout
from .._cdk.rendered import rendered_number
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import Duration
    from constructs import IConstruct

    from .buffer import Buffer

# A batch may take a third of the timeout on average. Were durations distributed exponentially, which varies more than
# most work does, the last record would then find no time left in 5 % of the receives, and in five of five once in
# three million.
_PART_OF_TIMEOUT = 3
# Of 5,000 messages in batches that take 0.97 of the timeout on average, exponentially distributed, 3 were given up
# untried in the model (`cdk_breakwater.simulation`), at 0.8 of it 1, at 0.6 none.
_SLACK = 2


def fitting_batch_size(
    invocation: Buffer,
    *,
    given: int | None,
    expected_duration: Duration | None,
    timeout: int,
    largest: int,
    unknown: int,
) -> int:
    """Return the batch size that was given, or the one that follows from the duration.

    Parameters
    ----------
    invocation
        What an error names.
    given
        By the user.
    expected_duration
        How long the work of a record takes on average.
    timeout
        The function's, in seconds.
    largest
        What may be derived at most.
    unknown
        The batch size without a duration.

    Raises
    ------
    BreakwaterError
        When the duration is no known time above 0, exceeds the timeout, or does so with the batch size given.
    """
    if expected_duration is None:
        if given is not None and given > unknown:
            _warn(
                invocation,
                f"batch_size={given} is given, but it is not known how long a record takes. A record that the "
                "function has no time to begin still counts as tried, and may be given up without processing. Pass "
                "expected_duration=Duration…, and the synth compares them; or leave batch_size out, "
                f"which then is {unknown}.",
            )
        return unknown if given is None else given
    if expected_duration.is_unresolved() or expected_duration.to_milliseconds() <= 0:
        raise BreakwaterError(
            invocation,
            f"expected_duration must be a known time above 0 (given {expected_duration}).",
            "Give a plain Duration.",
        )
    seconds = expected_duration.to_milliseconds() / 1000
    if seconds > timeout:
        raise BreakwaterError(
            invocation,
            f"expected_duration is {seconds:g} s, and {invocation.function.node.path} is ended after {timeout} s.",
            "Raise its timeout.",
        )
    safe = max(1, int(timeout / (_PART_OF_TIMEOUT * seconds)))
    if given is None:
        return min(largest, safe)
    if given * seconds > timeout:
        raise BreakwaterError(
            invocation,
            _too_long(invocation, given, seconds, timeout),
            f"Leave batch_size out, or give {safe}.",
        )
    if given > 1 and given * seconds > timeout / _SLACK:
        _warn(
            invocation,
            f"batch_size={given} records of {seconds:g} s each take {given * seconds:g} s on average, of the {timeout} "
            f"s after which {invocation.function.node.path} is ended. Where durations vary, some are counted as tried "
            f"without having been begun; {safe} at once leave room for that.",
        )
    return given


def _warn(invocation: Buffer, text: str) -> None:
    Annotations.of(invocation).add_warning_v2("cdk-breakwater:batch-size", text)


def _too_long(invocation: Buffer, batch: int, seconds: float, timeout: int) -> str:
    return (
        f"batch_size={batch} records of {seconds:g} s each take {batch * seconds:g} s, and "
        f"{invocation.function.node.path} is ended after {timeout} s: what it does not begin is counted as tried, "
        "and given up untried."
    )


@dataclass(frozen=True)
class LateFit:
    """Whether a batch fits the timeout still, when an Aspect or an override changed one of the two.

    Parameters
    ----------
    invocation
        Whose source.
    mapping
        The mapping's L1 construct.
    expected_duration
        How long the work of a record takes on average; None where nobody knows.
    """

    invocation: Buffer
    mapping: IConstruct
    expected_duration: Duration | None

    def errors(self) -> list[str]:
        """Return what the synth fails with."""
        if self.expected_duration is None:
            return []
        batch = rendered_number(self.mapping, "BatchSize")
        timeout = rendered_timeout(unqualified(self.invocation.function))
        seconds = self.expected_duration.to_milliseconds() / 1000
        if timeout is None or batch is None or batch * seconds <= timeout:
            return []
        return [f"{_too_long(self.invocation, batch, seconds, timeout)} Change neither after the source was made."]
