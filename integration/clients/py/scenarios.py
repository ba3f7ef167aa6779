"""What is tried, and what must be true at the end."""

from contextlib import AsyncExitStack

from py import sdk
from py.report import check
from py.rounds import rounds
from py.tools import tools


async def quickstart(url, options, report):
    """initialize, tools/list, one call, DELETE, and the old id is gone."""

    async def body(connection):
        listed = await report.must("list tools", connection.tools)
        name = "greet" if "greet" in listed else "echo"

        async def call():
            result = await connection.call(name, {"name": "Ada", "text": "Ada"})
            said = "".join(block.get("text", "") for block in result["content"])
            check("Ada" in said, f"expected an answer with Ada in it, got {said!r}")
            return said

        await report.step(f"call {name}", call)

    await _with_session(url, options, report, [], body)


async def every_tool(url, options, report):
    """Every tool of the example server."""
    questions = []
    await _with_session(url, options, report, questions, lambda connection: tools(connection, options, report, questions))


SCENARIOS = {"quickstart": quickstart, "tools": every_tool, "rounds": rounds}


async def _with_session(url, options, report, questions, body):
    """Connects, runs `body`, and looks at how the session ended."""
    sdk.capture_log(report.errors)
    stack = AsyncExitStack()

    async def enter():
        nonlocal connection
        connection = await stack.enter_async_context(sdk.connect(url, options, answer=_answering(questions)))
        report.about["era"] = "modern" if connection.is_modern else "legacy"
        return {"protocolVersion": connection.protocol_version, "session": connection.session_id is not None}

    connection = None
    async with stack:
        await report.must("connect", enter)
        await report.step("a session exactly in the legacy era", lambda: _era_and_session(connection))
        await body(connection)
        await report.step("close", stack.aclose)
    await _look_back(url, options, report, connection)
    await report.step("the SDK logged no failed termination", lambda: _quiet(report.errors))


async def _look_back(url, options, report, connection):
    """DELETE was answered as clients expect, and the old id is unknown."""
    await report.step("only initialize was answered with a session id", lambda: _only_initialize(connection))
    if options["keep"]:
        report.about["sessionId"] = connection.session_id
    elif connection.is_modern:
        report.skip("terminate", "there is no session in this era")
    else:
        await report.step("terminate", lambda: _terminated(connection))
        await report.step("the old id is 404", lambda: _gone(connection.session_id, url, options["headers"]))


async def _era_and_session(connection):
    has_session = connection.session_id is not None
    check(has_session != connection.is_modern, f"session id: {has_session}")


async def _only_initialize(connection):
    others = [one for one in connection.exchanges if one["received"] and one["message"] != "initialize"]
    check(not others, f"also: {[(one['method'], one['message']) for one in others]}")


async def _terminated(connection):
    statuses = [one["status"] for one in connection.exchanges if one["method"] == "DELETE"]
    check(statuses in ([200], [204]), f"DELETE was answered with {statuses}")
    return statuses[0]


async def _gone(session_id, url, headers):
    status = await sdk.post_with(session_id, url, headers)
    check(status == 404, f"the old session id was answered with {status}")
    return status


async def _quiet(logged):
    failures = [line for line in logged if "Session termination failed" in line]
    check(not failures, "; ".join(failures))


def _answering(questions):
    """Answers, unless the question says to decline."""

    def answer(question):
        questions.append(question)
        return None if "decline" in question else "forty-two"

    return answer
