"""Deployed by the real CLI under load, on a real MariaDB: what is reserved after each change, guarded and not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from demo.deployments.account import BUDGET, GUARDED, UNGUARDED, Account, load
from demo.processes import CommandError
from servers import Certificates, MariaDbServer

from cdk_breakwater.cli.deployment_facts import DeploymentFacts, measure


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("account")
    with MariaDbServer(20, Certificates().right, require_tls=True) as server, Account(folder) as account:
        account.bootstrap()
        account.make_stages(server)
        yield account


def test_guarded_no_change_exceeds_the_budget(account: Account) -> None:
    account.stack = GUARDED
    assert account.put("created") == BUDGET
    shares = account.reserved()
    assert shares == {"Orders": 4, "Reports": 7, "Nightly": 1}
    errors: list[str] = []
    with load(account, errors) as done:
        with pytest.raises(CommandError, match="Never"):
            account.put("failed")
        assert account.reserved() == shares
        assert account.put("renamed") == BUDGET
        assert account.reserved() == {"Purchases": 4, "Reports": 7, "Nightly": 1}
    assert max(sum(change["held"].values()) for change in account.changes()) == BUDGET
    assert done["answered"] > 0, errors[:3]
    # The emulator ends the processes of a function that it changes or deletes, with whatever runs in them.
    assert [said for said in errors if "Worker process" not in said] == []
    account.delete_functions(GUARDED)


def test_unguarded_the_plan_said_how_far_it_would_go(account: Account) -> None:
    account.stack = UNGUARDED
    account.put("created")
    (told,) = account.plan("renamed", "--deployed")["budgets"]
    worst = account.put("renamed")
    # CloudFormation creates before it deletes, whatever the order of the rest.
    assert BUDGET < worst <= told["worst"]


def test_the_two_facts_are_found_out_and_nothing_is_left(account: Account) -> None:
    facts = measure(account.client, pause=0.2)
    # The emulator's authors measured rollbacks on AWS; what is put again is the choice of reserving_emulator.
    assert facts == DeploymentFacts(rolls_back_in_order=True, puts_again=False)
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]
    assert not [stack for stack in stacks if stack["StackName"].startswith("breakwater-measures-")]


def test_a_drill_meets_the_shares_and_the_database_refuses_nobody(account: Account) -> None:
    account.stack = UNGUARDED
    account.put("renamed")  # as a test before left it: CloudFormation puts back no function that was deleted by hand
    assembly = str(account.folder / UNGUARDED / "renamed")
    drill = ("drill", UNGUARDED, "--assembly", assembly, "--payload", '{"seconds": 0.5}')
    told = account.breakwater(*drill)
    assert told.returncode == 0, told.stderr
    assert "Nothing was called." in told.stdout
    done = account.breakwater(*drill, "--seconds", "5", "--wait", "0", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Within the budget: the database refused nobody." in done.stdout
    assert "The first limit that bound was the reserved concurrency of Unguarded/" in done.stdout
