"""A front door before SQS, through every state, with the real templates on an emulated account."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import urllib3

from tests.e2e.front_door.conftest import PATH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.front_door.conftest import Account, Answer


def test_202_while_it_waits_and_200_with_what_the_function_returned(account: Account, tmp_path: Path) -> None:
    order = {"do": "wait", "gate": str(tmp_path / "gate"), "note": '"it\'s" & 100% +\n Größe 🚢'}
    posted = account.post(order)
    assert posted.status == 202
    assert posted.headers["Retry-After"] == "5"
    assert posted.headers["Location"] == posted.body["location"]
    assert posted.body["location"] == f"{PATH}/{posted.body['id']}"
    waiting = account.get(posted)
    assert (waiting.status, waiting.headers["Retry-After"]) == (202, "5")
    (tmp_path / "gate").touch()
    done = account.until(posted, 200)
    assert done.body == order
    assert done.headers["Cache-Control"] == "no-store"


def test_two_posts_are_two_jobs_with_ids_of_their_own(account: Account) -> None:
    assert account.post({"do": "ok"}).body["id"] != account.post({"do": "ok"}).body["id"]


def test_a_repeated_key_is_the_same_job_and_done_once(account: Account, tmp_path: Path) -> None:
    log = tmp_path / "log"
    key = f"{uuid4()} with/odd+characters=ü?"
    answers = [account.post({"do": "ok", "log": str(log)}, key=key.encode().decode("latin-1")) for _ in range(3)]
    assert len({answer.body["id"] for answer in answers}) == 1
    account.until(answers[0], 200)
    assert account.post({"do": "ok", "log": str(log)}, key=key.encode().decode("latin-1")).status == 202
    last = account.post({"do": "ok"})
    account.until(last, 200)
    assert log.read_text(encoding="utf-8") == "x"


def test_the_same_key_of_another_caller_is_another_job(account: Account) -> None:
    key = str(uuid4())
    ann, bob = (account.post({"do": "ok", "of": caller}, caller, key) for caller in ("ann", "bob"))
    assert account.until(ann, 200).body["of"] == "ann"
    assert ann.body["id"] != bob.body["id"]


def test_500_with_the_reason_once_it_is_in_the_dead_letter_queue(account: Account) -> None:
    reasons = {
        "fail": "KeyError",
        "refuse": "the card was declined",
        "die": "The function ended without an answer each time it was tried.",
    }
    posts = {name: account.post({"do": name}) for name in reasons}
    for name, reason in reasons.items():
        assert account.until(posts[name], 500, 120).body == {"message": "The job failed.", "reason": reason}
    letters = receive_all(account, len(reasons))
    assert sorted(json.loads(letter["Body"])["do"] for letter in letters) == sorted(reasons)
    ids = {letter["MessageAttributes"]["breakwater-job"]["StringValue"] for letter in letters}
    assert ids == {posted.body["id"] for posted in posts.values()}


def receive_all(account: Account, count: int, door: str = "Standard") -> list[dict[str, Any]]:
    letters: dict[str, dict[str, Any]] = {}
    for _ in range(20):
        answer = account.client("sqs").receive_message(
            QueueUrl=account.outputs[f"{door}DeadLetters"],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
        )
        letters |= {letter["MessageId"]: letter for letter in answer.get("Messages", [])}
        if len(letters) >= count:
            break
    return list(letters.values())


def test_303_to_a_large_answer(account: Account) -> None:
    large = account.until(account.post({"do": "large"}), 303)
    fetched = urllib3.request("GET", large.headers["Location"], timeout=30)
    assert json.loads(fetched.data) == "ü" * 300_000


def test_410_once_it_has_expired(account: Account) -> None:
    posted = account.post({"do": "ok"})
    account.until(posted, 200)
    account.change(posted, "expires", lambda at: at - 86_401)
    assert account.get(posted).status == 410


def test_a_fifo_queue_keeps_each_customers_order_and_a_failure_holds_up_nobody_else(
    account: Account, tmp_path: Path
) -> None:
    logs = {customer: tmp_path / customer for customer in "ab"}
    posts = [
        account.post(
            {"do": "ok", "customer": customer, "log": str(logs[customer]), "mark": str(number)}, door="Ordered"
        )
        for number in range(5)
        for customer in "ab"
    ]
    failing = account.post({"do": "fail", "customer": "c"}, door="Ordered")
    for posted in posts:
        account.until(posted, 200, door="Ordered")
    assert [log.read_text(encoding="utf-8") for log in logs.values()] == ["01234"] * 2
    assert account.until(failing, 500, 120, door="Ordered").body["reason"] == "KeyError"
    (letter,) = receive_all(account, 1, "Ordered")
    assert json.loads(letter["Body"]) == {"do": "fail", "customer": "c"}


class TestUnknownJobs:
    def own(self, account: Account, posted: Answer, name: str) -> Answer:
        """Invent a job of the same door and caller."""
        tag, who, _ = posted.body["id"].split(".")
        job = f"{tag}.{who}.{urlsafe_b64encode(name.encode()).decode().rstrip('=')}"
        location = posted.headers["Location"].replace(posted.body["id"], job)
        answer = account.request("GET", location)
        answer.headers["Location"], answer.body = location, {"id": job}
        return answer

    def test_404_for_what_is_no_job_and_for_jobs_of_others(self, account: Account) -> None:
        posted = account.post({"do": "ok"})
        assert account.get(posted, caller="bob").status == 404
        account.until(posted, 200)
        assert account.get(posted, caller="bob").status == 404
        for job in (str(uuid4()), "x", "a.b.c", posted.body["id"][1:], f"{posted.body['id']}."):
            assert account.request("GET", f"{PATH}/{job}").status == 404, job

    def test_404_for_an_invented_one_once_everything_is_worked_off(self, account: Account, tmp_path: Path) -> None:
        waiting = account.post({"do": "wait", "gate": str(tmp_path / "gate")})
        invented = self.own(account, waiting, f"key {uuid4()}")
        assert invented.status == 202
        account.change(invented, "asked_at", lambda at: at - 121)
        assert account.get(invented).status == 202, "it may be what is in the queue"
        (tmp_path / "gate").touch()
        account.until(waiting, 200)
        sqs, queue = account.client("sqs"), account.outputs["StandardQueue"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        for _ in range(100):
            numbers = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            if not any(map(int, numbers.values())):
                break
        assert account.get(invented).status == 404
        assert account.get(waiting).status == 200


class TestRefusals:
    def test_400_for_what_the_schema_does_not_allow(self, account: Account) -> None:
        for body in ("{}", '{"do": ', ""):
            assert account.post(body).status == 400

    def test_413_for_what_is_too_large(self, account: Account) -> None:
        refused = account.post({"do": "x" * 262_144})
        assert (refused.status, refused.body["message"]) == (
            413,
            "The body is too large, or Idempotency-Key is longer than 255 characters.",
        )
        assert account.post({"do": "ok"}, key="k" * 256).status == 413

    def test_415_for_what_is_not_json(self, account: Account) -> None:
        assert account.request("POST", PATH, '{"do": "ok"}', **{"Content-Type": "text/xml"}).status == 415

    def test_401_for_nobody(self, account: Account) -> None:
        assert account.post({"do": "ok"}, caller="").status == 401
