"""A front door before SQS, through every state, with the real templates on an emulated account."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING
from uuid import uuid4

import urllib3

from tests.e2e.front_door.conftest import PATH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.front_door.conftest import Account, Answer, Failures


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


def test_500_with_the_reason_once_it_is_in_the_dead_letter_queue(account: Account, failures: Failures) -> None:
    reasons = {
        "fail": "KeyError",
        "refuse": "the card was declined",
        "die": "The function ended without an answer each time it was tried.",
    }
    for name, reason in reasons.items():
        posted = failures.posted[name]
        assert account.get(posted).body == {"message": "The job failed.", "reason": reason}
        assert json.loads(failures.letters[posted.body["id"]]["Body"]) == {"do": name}
    assert failures.letters.keys() == {posted.body["id"] for posted in failures.posted.values()}


def test_500_turns_to_200_when_its_cause_is_mended_and_it_is_sent_again(account: Account, failures: Failures) -> None:
    posted = failures.posted["need"]
    assert account.get(posted).body["reason"] == "FileNotFoundError"
    failures.gate.touch()
    account.send_back(failures.letters[posted.body["id"]])
    assert account.until(posted, 200, meanwhile=(500, 202)).body["do"] == "need"


def test_303_to_a_large_answer(account: Account) -> None:
    large = account.until(account.post({"do": "large"}), 303)
    fetched = urllib3.request("GET", large.headers["Location"], timeout=30)
    assert json.loads(fetched.data) == "ü" * 300_000


def test_410_once_it_has_expired(account: Account) -> None:
    posted = account.post({"do": "ok"})
    account.until(posted, 200)
    account.change(posted, "expires", lambda at: at - 86_401)
    assert account.get(posted).status == 410


def test_a_fifo_queue_keeps_each_customers_order(account: Account, tmp_path: Path) -> None:
    logs = {customer: tmp_path / customer for customer in "ab"}
    posts = [
        account.post(
            {"do": "ok", "customer": customer, "log": str(logs[customer]), "mark": str(number)}, door="Ordered"
        )
        for number in range(5)
        for customer in "ab"
    ]
    for posted in posts:
        account.until(posted, 200, "Ordered")
    assert [log.read_text(encoding="utf-8") for log in logs.values()] == ["01234"] * 2


def test_500_from_a_fifo_queue(account: Account, failures: Failures) -> None:
    assert account.get(failures.ordered, door="Ordered").body["reason"] == "KeyError"
    ((job, letter),) = failures.ordered_letters.items()
    assert (job, json.loads(letter["Body"])) == (failures.ordered.body["id"], {"do": "fail", "customer": "c"})


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
        account.wait_until_empty()
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
