"""The runtime's errors, handed from process to process."""

from __future__ import annotations

import copy
import pickle

import pytest

import breakwater_runtime as breakwater


@pytest.mark.parametrize(
    "error",
    [
        breakwater.ConnectionUnavailable("no connection after 3 attempts", 3),
        breakwater.FanOutError("1 of 2 calls failed", [1, None], {1: ValueError("no")}, []),
        breakwater.QuotaBusy("no slot is free", 2.5),
        breakwater.OutcomeUnknown("nobody knows"),
        breakwater.ConfigurationError("host is None"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_stays_itself(error: breakwater.BreakwaterError) -> None:
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 -- our own
        assert type(same) is type(error)
        assert str(same) == str(error)
        assert repr(vars(same)) == repr(vars(error))
