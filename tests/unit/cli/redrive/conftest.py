"""The account that a test lays out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .account import Account


@pytest.fixture
def account() -> Iterator[Account]:
    account = Account()
    yield account
    for stub in account.stubs.values():
        stub.assert_no_pending_responses()
