"""Beyond each of its limits a REST API answers 429 with `Retry-After`, and says so to a browser as well."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.e2e.api.api_app import CONCURRENCY, DAILY_QUOTA, PAGE, SLOW, URL_CONCURRENCY

if TYPE_CHECKING:
    from tests.e2e.api.conftest import ApiAccount

# What the share can take, less what the other routes to the same function need: POST /orders 0.01/s of 25 s each. A
# tenth of it is the root's.
AT_ONCE = CONCURRENCY - 0.01 * SLOW.to_seconds()
STAGE = 0.9 * AT_ONCE / SLOW.to_seconds()
ORDER = json.dumps({"article": "BUOY"})


def test_the_stage(account: ApiAccount) -> None:
    burst = account.burst(12, "Routes", "/orders/1")
    assert burst.held(STAGE, int(AT_ONCE) - 1)
    assert {answer.data for answer in burst.with_status(200)} == {b"orders"}
    for refused in burst.with_status(429):
        assert int(refused.headers["Retry-After"]) * STAGE >= 1
        assert json.loads(refused.data) == {"message": "Too Many Requests"}


def test_a_route_with_the_share_of_its_own_function(account: ApiAccount) -> None:
    burst = account.burst(12, "Routes", "/reports")
    assert burst.held(CONCURRENCY / SLOW.to_seconds(), CONCURRENCY)
    assert {answer.data for answer in burst.with_status(200)} == {b"reports"}
    assert all("Retry-After" in refused.headers for refused in burst.with_status(429))


def test_a_route_below_another_route(account: ApiAccount) -> None:
    assert account.burst(6, "Routes", "/reports/daily").held(0.01, 2)


def test_a_route_does_not_take_from_another(account: ApiAccount) -> None:
    account.burst(12, "Routes", "/reports")
    assert (
        account.request("Routes", "/orders", method="POST", body=ORDER, Content_Type="application/json").status == 200
    )


def test_a_body_that_cannot_be_right_is_refused_before_the_function(account: ApiAccount) -> None:
    answer = account.request("Routes", "/orders", method="POST", body="{}", Content_Type="application/json")
    assert (answer.status, json.loads(answer.data)) == (400, {"message": "Invalid request body"})


def test_a_page_can_read_its_refusal(account: ApiAccount) -> None:
    preflight = account.request(
        "Routes", "/reports", method="OPTIONS", Origin=PAGE, Access_Control_Request_Method="GET"
    )
    assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
    refused = account.burst(12, "Routes", "/reports", Origin=PAGE).with_status(429)[-1]
    assert refused.headers["Access-Control-Allow-Origin"] == PAGE
    assert refused.headers["Access-Control-Expose-Headers"] == "Retry-After"


def test_each_client(account: ApiAccount) -> None:
    small = account.burst(12, "Clients", "/all", X_Api_Key=account.keys["small"])
    large = account.burst(12, "Clients", "/all", X_Api_Key=account.keys["large"])
    assert small.held(0.01, 2)
    assert large.held(0.01, 5), "what one client does takes nothing from another"
    assert {refused.headers["Retry-After"] for refused in small.with_status(429)} == {"1"}
    assert account.request("Clients", "/").status == 403, "nobody passes by the limits by leaving the key out"


def test_a_clients_daily_quota(account: ApiAccount) -> None:
    burst = account.burst(6, "Clients", "/all", X_Api_Key=account.keys["daily"])
    assert [answer.status for answer in burst.answers] == [200] * DAILY_QUOTA + [429] * (6 - DAILY_QUOTA)
    refused = burst.answers[-1]
    assert (refused.headers["Retry-After"], json.loads(refused.data)) == ("3600", {"message": "Limit Exceeded"})


def test_who_obeys_retry_after_gets_in(account: ApiAccount) -> None:
    refused = account.burst(30, "Steady", "/all").with_status(429)[-1]
    assert refused.headers["Retry-After"] == "1"
    time.sleep(1)
    assert account.request("Steady", "/all").status == 200


def test_an_http_api_leads_each_route_to_its_function(account: ApiAccount) -> None:
    assert account.request("Http", "/reports").data == b"reports"
    assert account.request("Http", "/anything").data == b"others"


def test_a_function_url_is_throttled_by_reserved_concurrency_alone(account: ApiAccount) -> None:
    refused = 8 - URL_CONCURRENCY
    assert Counter(account.call_url(8, refused)) == {200: URL_CONCURRENCY, 429: refused}
