"""The clients that the suite doesn't run: which test holds which promise, and which promise is none there, and why.

test_table.py sees to it that each test exists, and that none is named both ways.
"""

from __future__ import annotations

OTHERS = ("redis-py", "PyMongo", "Data API", "mysql2", "pg")

_REDIS, _MONGO, _DATA_API = (f"tests/runtime/test_{name}.py" for name in ("redis", "mongo", "data_api"))
_OPTIONS = "tests/runtime/conformance/test_other_options.py"
_LIFE, _ENVIRONMENT, _TLS = (f"tests/nodejs/node/{name}.test.mjs" for name in ("life", "environment", "tls"))

_NODE_OPTIONS = "tests/nodejs/node/options.test.mjs"
_NODE = {
    7: (_LIFE, "a finished answer doesn\\'t wait for a dead network"),
    10: (_ENVIRONMENT, "an environment that is killed in a statement that waits leaves no session"),
    12: (_LIFE, "a live session is not ended, however long it idles and however full the server is"),
    16: (_LIFE, "between two invocations the server ends a session after seconds, whatever the function\\'s timeout"),
    22: (_LIFE, "one connection for an environment, however often and wherever it is described"),
    23: (_LIFE, "between two invocations the server ends a session after seconds, whatever the function\\'s timeout"),
    24: (_LIFE, "a statement whose reply was lost is not sent again"),
    28: (_LIFE, "a statement whose reply was lost is not sent again"),
    31: (_NODE_OPTIONS, "what is kept breaks no promise: bounded, rolled back, cleaned, on one session"),
    36: (_LIFE, "what a handler leaves open is undone, on the same connection"),
    41: (_LIFE, "a wrong password and an unknown database are told at once"),
    42: (_TLS, "the right certificate is accepted, by name"),
}

WITH: dict[str, dict[int, tuple[str, str]]] = {
    "redis-py": {
        1: (_REDIS, "test_a_name_that_nobody_resolves_costs_no_more_than_the_time"),
        3: (_REDIS, "test_a_server_that_says_nothing_costs_no_more_than_the_time"),
        4: (_REDIS, "test_an_answer_byte_by_byte_costs_no_more_than_the_time"),
        5: (_REDIS, "test_an_answer_byte_by_byte_costs_no_more_than_the_time"),
        7: (_REDIS, "test_after_a_pause_a_connection_that_the_network_forgot_costs_a_second"),
        8: (_OPTIONS, "test_a_shorter_wait_of_the_user_s_holds"),
        9: (_REDIS, "test_a_command_is_never_sent_twice"),
        22: (_REDIS, "test_one_connection"),
        24: (_REDIS, "test_a_command_is_never_sent_twice"),
        28: (_REDIS, "test_a_command_is_never_sent_twice"),
        31: (_OPTIONS, "test_what_redis_keeps_breaks_no_promise"),
        36: (_REDIS, "test_nothing_of_one_command_is_left_to_the_next"),
        41: (_REDIS, "test_a_wrong_password_is_told_at_once"),
        42: (_REDIS, "test_tls_is_verified"),
        44: (_REDIS, "test_an_answer_that_is_read_too_late"),
    },
    "PyMongo": {
        3: (_MONGO, "test_a_server_that_says_nothing_costs_no_more_than_the_time"),
        4: (_MONGO, "test_a_server_that_says_nothing_costs_no_more_than_the_time"),
        8: (_OPTIONS, "test_no_option_of_pymongo_outlasts_the_deadline"),
        22: (_MONGO, "test_one_connection_for_operations_and_one_for_watching"),
        31: (_OPTIONS, "test_what_pymongo_keeps_leaves_the_server_verified_and_the_time_bounded"),
        42: (_MONGO, "test_what_would_leave_the_server_unverified_is_refused"),
    },
    "Data API": {
        3: (_DATA_API, "test_a_data_api_that_says_nothing_costs_no_more_than_the_time"),
        4: (_DATA_API, "test_a_data_api_that_says_nothing_costs_no_more_than_the_time"),
        24: (_DATA_API, "test_an_insert_whose_answer_is_lost_is_sent_once"),
        25: (_DATA_API, "test_a_commit_whose_answer_is_lost_is_unknown"),
        28: (_DATA_API, "test_an_insert_whose_answer_is_lost_is_sent_once"),
        31: (_DATA_API, "test_retries_of_botocore_are_not_taken_over"),
    },
    "mysql2": _NODE
    | {8: (_LIFE, "the server\\'s limits follow the invocation\\'s, also for a statement that begins late")},
    "pg": _NODE | {8: (_LIFE, "options of the driver reach the handler\\'s statements, not the runtime\\'s")},
}

_NO_MARK = "no session is ended by a neighbour there, so that nothing is marked"
_NO_TRANSACTION = "a command is applied by itself; the client has no block that commits"
_NO_RUN = "nothing is repeated: there is no `run()`"
_NO_HANDLE = "the client is the library's own for the life of the environment, not a connection lent for a block"
_NO_CONNECTION = "each statement is an HTTPS request; AWS keeps the sessions"
_SINGLE_STATEMENTS = "no streams, cursors or COPY"
_NETWORK = "a statement that a dead network leaves unanswered is bounded by the driver's own option alone"

_MARK = range(12, 20)
NOT: dict[str, dict[int, str]] = {
    "redis-py": dict.fromkeys(_MARK, _NO_MARK)
    | dict.fromkeys((25, 26, 27, 29, 30), _NO_TRANSACTION)
    | dict.fromkeys((34, 37, 40), _NO_HANDLE),
    "PyMongo": dict.fromkeys(_MARK, _NO_MARK)
    | dict.fromkeys((25, 26, 27, 29, 30), "transactions are PyMongo's own, `with_transaction` with them")
    | dict.fromkeys((34, 36, 37, 40), _NO_HANDLE)
    | {39: "PyMongo watches the servers itself"},
    "Data API": dict.fromkeys((7, 10, 11, *_MARK, 21, 22, 23, 34, 35, 36, 37, 39, 40), _NO_CONNECTION)
    | dict.fromkeys((26, 27), _NO_RUN)
    | {33: _SINGLE_STATEMENTS},
    "mysql2": dict.fromkeys((13, 14, 15, 17, 18, 19), _NO_MARK)
    | dict.fromkeys((26, 27), _NO_RUN)
    | dict.fromkeys((4, 5), _NETWORK)
    | dict.fromkeys((34, 37), "the handler gets serverless-mysql's or serverless-postgres's own object"),
}
NOT["pg"] = NOT["mysql2"]
