"""Messages go back where they came from, moved by SQS itself."""

from __future__ import annotations

from typing import Any

import pytest

from cdk_breakwater import BreakwaterError
from cdk_breakwater.cli.redrive import find_failures

from .account import ARN, STACK_ID, Account, describe_shop, queue


class TestQueues:
    def test_a_move_is_started_by_sqs_itself(self, account: Account) -> None:
        describe_shop(account)
        (found,) = find_failures("Shop", account)
        assert (found.construct, found.waiting, found.state) == ("Shop/Jobs/DeadLetterQueue", 7, "")
        assert (found.kept_in, found.goes_to) == ("dead", "main")
        account.stub("sqs").add_response(
            "start_message_move_task",
            {"TaskHandle": "handle"},
            {"SourceArn": f"{ARN}:dead", "DestinationArn": f"{ARN}:main"},
        )
        assert found.redrive(account) == "move started"

    def test_one_that_runs_is_left_to_run(self, account: Account) -> None:
        describe_shop(
            account,
            {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 3, "ApproximateNumberOfMessagesToMove": 1000},
        )
        (found,) = find_failures("Shop", account)
        assert found.redrive(account) == "moving: 3 of 1,000"  # a request would fail: none is laid out

    @pytest.mark.parametrize(
        ("task", "state"),
        [
            ({"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 40}, "last move completed: 40"),
            ({"Status": "FAILED", "FailureReason": "AccessDenied"}, "last move failed: AccessDenied"),
        ],
    )
    def test_what_became_of_the_last_one(self, account: Account, task: dict[str, Any], state: str) -> None:
        describe_shop(account, task)
        (found,) = find_failures("Shop", account)
        assert found.state == state

    def test_of_several_sources_sqs_knows_each_messages_own(self, account: Account) -> None:
        names = ("dead", "one", "two")
        account.stack("Shop", {name: queue(name, f"Shop/{name}") for name in names})
        account.queue("dead", waiting=1)
        account.queue("one", dead_letters="dead")
        account.queue("two", dead_letters="dead")
        account.tasks("dead")
        (found,) = find_failures("Shop", account)
        account.stub("sqs").add_response(
            "start_message_move_task", {"TaskHandle": "handle"}, {"SourceArn": f"{ARN}:dead"}
        )
        assert found.redrive(account) == "move started"
        assert found.goes_to == "the queues they came from"

    def test_a_queue_that_messages_pass_on_the_way_is_no_end_of_theirs(self, account: Account) -> None:
        account.stack("Shop", {name: queue(name, f"Shop/{name}") for name in ("dead", "passed", "main")})
        account.queue("dead", waiting=1)
        account.queue("passed", dead_letters="dead")
        account.queue("main", dead_letters="passed")
        account.tasks("dead")
        (found,) = find_failures("Shop", account)
        assert (found.construct, found.goes_to) == ("Shop/dead", "main")

    def test_nested_stacks_belong_to_it(self, account: Account) -> None:
        account.stack("Shop", {"Nested": ("AWS::CloudFormation::Stack", STACK_ID, "Shop/Nested")})
        account.stack(STACK_ID, {"D": queue("dead", "Shop/Nested/Dead"), "Q": queue("main", "Shop/Nested/Queue")})
        account.queue("dead")
        account.queue("main", dead_letters="dead")
        account.tasks("dead")
        (found,) = find_failures("Shop", account)
        assert found.construct == "Shop/Nested/Dead"

    @pytest.mark.parametrize(
        ("construct", "there"),
        [("Shop/Jobs", True), ("Shop/Jobs/DeadLetterQueue", True), ("Shop/Job", False), ("Shop/Other", False)],
    )
    def test_one_construct(self, account: Account, construct: str, there: bool) -> None:
        account.stack("Shop", {"D": queue("dead", "Shop/Jobs/DeadLetterQueue"), "Q": queue("main", "Shop/Jobs/Queue")})
        account.queue("dead")
        account.queue("main", dead_letters="dead")
        if there:
            account.tasks("dead")
            assert find_failures("Shop", account, construct)
        else:
            with pytest.raises(BreakwaterError, match=f"Shop, beneath {construct}: there is no dead-letter queue"):
                find_failures("Shop", account, construct)

    def test_a_stack_without_any(self, account: Account) -> None:
        account.stack("Shop", {"Main": queue("main", "Shop/Main")})
        account.queue("main")
        with pytest.raises(BreakwaterError, match=r"Shop: there is no dead-letter queue.*DecoupledInvocation"):
            find_failures("Shop", account)
