"""`share.concurrency`: a plain number where it is fixed, else a token that refuses arithmetic and can be split."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from cdk_breakwater import BreakwaterError, ConnectionBudget


@pytest.fixture
def budget(stack: cdk.Stack) -> ConnectionBudget:
    """80 to share."""
    return ConnectionBudget(stack, "Budget", max_connections=100)


OPERATIONS: list[Callable[[Any], Any]] = [
    lambda number: number // 2,
    lambda number: 2 * number,
    lambda number: number + 1,
    lambda number: 1 - number,
    lambda number: number / 2,
    lambda number: number % 2,
    lambda number: number > 5,
    lambda number: max(2, number),
    lambda number: min(number, 10),
    lambda number: -number,
    lambda number: f"{number:03d}",
    int,
    float,
    round,
    math.floor,
    sum,
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_arithmetic_with_a_token_is_refused(budget: ConnectionBudget, operation: Callable[[Any], Any]) -> None:
    number = budget.share("worker").concurrency
    with pytest.raises((BreakwaterError, TypeError)) as refused:
        operation([number, 1] if operation is sum else number)
    assert "Stack/Budget: the concurrency of 'worker' is known at synth" in str(refused.value)
    assert "split([1, 1])" in str(refused.value)


def test_a_token_goes_into_numbers_and_strings(
    stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any]
) -> None:
    share = budget.share("worker")
    environment = {"LIMIT": str(share.concurrency), "TEXT": f"at most {share.concurrency}"}
    lambda_.Function(stack, "Worker", reserved_concurrent_executions=share.concurrency, environment=environment, **code)
    budget.share("later")
    (function,) = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    assert function["Properties"]["ReservedConcurrentExecutions"] == 40
    assert function["Properties"]["Environment"]["Variables"] == {"LIMIT": "40", "TEXT": "at most 40"}


def test_a_fixed_share_is_a_plain_number(budget: ConnectionBudget) -> None:
    number = budget.share("worker", concurrency=7).concurrency
    assert (number, number // 2, f"{number}", number.split([1, 2])) == (7, 3, "7", [2, 5])


def test_the_parts_of_a_token_make_the_whole(stack: cdk.Stack, budget: ConnectionBudget) -> None:
    parts = budget.share("worker").concurrency.split([1, 2, 1])
    budget.share("later", weight=3)
    assert [stack.resolve(part) for part in parts] == [5, 10, 5]
    with pytest.raises(BreakwaterError, match="known at synth"):
        _ = parts[0] + parts[1]


def test_each_part_is_at_least_one(stack: cdk.Stack, budget: ConnectionBudget) -> None:
    parts = budget.share("worker", weight=0.01).concurrency.split([1, 1, 1])
    budget.share("later", weight=100)
    assert [stack.resolve(part) for part in parts] == [1, 1, 1]


@pytest.mark.parametrize("weights", [None, [], "12", [0], [-1, 2], [math.nan], [math.inf], ["1"], 3])
def test_weights_that_are_none(budget: ConnectionBudget, weights: Any) -> None:
    with pytest.raises(BreakwaterError, match=r"Stack/Budget: .* by weights=.*Give a list of numbers above 0"):
        budget.share("worker").concurrency.split(weights)


def test_a_fixed_share_too_small_for_its_parts(budget: ConnectionBudget) -> None:
    with pytest.raises(BreakwaterError, match="at least 3: it is split into 3 parts"):
        budget.share("worker", concurrency=2).concurrency.split([1, 1, 1])
