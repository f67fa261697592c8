"""What the emulator wrote down of a burst: when what came, and how long each invocation took."""

from __future__ import annotations

import json
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.load import Load, Stretch

if TYPE_CHECKING:
    from pathlib import Path


_UNSEEN_SECONDS = 0.05


@dataclass(frozen=True)
class Recording:
    """The lines of a time.

    Attributes
    ----------
    lines
        As `demo.recording_emulator` writes them.
    began
        Unix time.
    """

    lines: list[dict[str, Any]]
    began: float

    @classmethod
    def of(cls, log: Path, began: float, ended: float) -> Recording:
        """Read what was written between two times."""
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        return cls([line for line in lines if began <= line["at"] <= ended], began)

    def load(self, what: str, **more: str) -> Load:
        """Give when each message was sent, to one queue perhaps, or each request asked."""
        times = [line["at"] - self.began for line in self.all(what, **more)]
        return Load(tuple(Stretch(at, at, 1, 1) for at in times))

    def duration(self, function: str) -> Duration:
        """Give how long one request or message took in an environment that was there.

        Batches are one after the other: the mean of a message is what all took, divided by how many there were.
        """
        read = [line for line in self.all("read", function=function, cold=False) if line["messages"]]
        if read:
            each = [line["seconds"] / line["messages"] for line in read for _ in range(line["messages"])]
        else:
            each = [line["seconds"] for line in self.all("invoked", function=function, cold=False)]
        # Where no environment was used twice, the first invocation is counted as a cold start alone.
        return Duration(fmean(each), pstdev(each) / fmean(each)) if each else Duration(_UNSEEN_SECONDS)

    def cold_start(self, function: str) -> float:
        """Give how much longer the first invocation of an environment took."""
        cold = [line["seconds"] for line in self.all("invoked", function=function, cold=True)]
        return max(0.0, fmean(cold) - self.duration(function).mean) if cold else 0.0

    def all(self, what: str, **more: Any) -> list[dict[str, Any]]:
        """Give the lines of one kind."""
        return [
            line
            for line in self.lines
            if line["what"] == what and all(line.get(key) == value for key, value in more.items())
        ]
