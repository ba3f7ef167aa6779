"""The `tools` scenario: each tool of the example server, one step each."""

import time

from py.report import check, describe

ALL = ["add", "ask", "boom", "counter", "countdown", "echo", "note_get", "note_put", "whoami"]


async def tools(connection, options, report, questions):
    """Runs every step on an open connection. `questions` collects what the server asked."""
    run = _Tools(connection, options, questions)
    await report.must("list tools", run.listed)
    await report.step("echo", lambda: run.says("echo", {"text": "hällo 🦀"}, "hällo 🦀"))
    await report.step("add", lambda: run.says("add", {"a": 19, "b": 23}, "42"))
    await report.step("whoami", run.whoami)
    await report.step("note_put and note_get", run.notes)
    await report.step("notes as resources", run.resources)
    await report.step("counter", run.counter)
    await report.step("countdown with progress", run.countdown)
    without = {"from": 2, "interval_ms": 1}
    await report.step("countdown without progress", lambda: run.says("countdown", without, "counted to 2"))
    await report.step("ask", run.ask)
    await report.step("ask, declined", run.declined)
    await report.step("boom", run.boom)
    await report.step("echo after boom", lambda: run.says("echo", {"text": "still here"}, "still here"))


class _Tools:
    def __init__(self, connection, options, questions):
        self.connection = connection
        self.call = connection.call
        self.tools = connection.tools
        self.session = not connection.is_modern
        self.options = options
        self.questions = questions

    async def listed(self):
        names = await self.tools()
        missing = [name for name in ALL if name not in names]
        check(not missing, f"missing: {missing}")
        return names

    async def says(self, tool, arguments, expected):
        said = success(await self.call(tool, arguments))
        check(said == expected, f"expected {expected!r}, got {said!r}")
        return said

    async def whoami(self):
        result = await self.call("whoami")
        who = result.get("structuredContent")
        check(who is not None and isinstance(who["replica"], str), f"no structured answer: {result}")
        check((who.get("session") is not None) == self.session, f"session: {who.get('session')}")
        check((who.get("client") or {}).get("name") == self.options["clientName"], f"client: {who.get('client')}")
        return who

    async def notes(self):
        put = await self.call("note_put", {"name": "colour", "value": "teal"})
        if not self.session:
            return failure(put)
        success(put)
        got = success(await self.call("note_get", {"name": "colour"}))
        check(got == "teal", f"the note came back as {got!r}")
        return {"got": got, "missing": failure(await self.call("note_get", {"name": "nothing"}))}

    async def resources(self):
        if not self.session:
            listed = await self.connection.resources()
            check(not listed, f"resources without a session: {listed}")
            return listed
        success(await self.call("note_put", {"name": "ä b/c#d", "value": "odd"}))
        colour, odd = "note://colour", "note://%C3%A4%20b%2Fc%23d"
        listed = await self.connection.resources()
        check(colour in listed and odd in listed, f"resources: {listed}")
        texts = [await self.connection.read(colour), await self.connection.read(odd)]
        check(texts == ["teal", "odd"], f"the notes read {texts}")
        return listed

    async def counter(self):
        first = await self.call("counter")
        if not self.session:
            return failure(first)
        counts = [int(success(result)) for result in (first, await self.call("counter"))]
        check(all(count >= 1 for count in counts), f"counts: {counts}")
        return counts

    async def countdown(self):
        steps, seen, started = self.options["from"], [], time.monotonic()

        async def note(progress, total, _message):
            seen.append((progress, total))

        arguments = {"from": steps, "interval_ms": self.options["intervalMs"]}
        said = success(await self.call("countdown", arguments, note))
        check(seen == [(step, steps) for step in range(1, steps + 1)], f"progress: {seen}")
        return {"said": said, "progress": len(seen), "ms": round((time.monotonic() - started) * 1000)}

    async def ask(self):
        question = "What is the answer?"
        result = await self.call("ask", {"question": question})
        if self.options["ask"] == "error":
            return failure(result)
        said = success(result)
        check(question in self.questions, f"the client was asked: {self.questions}")
        check(said == "forty-two", f"expected the answer, got {said!r}")
        return said

    async def declined(self):
        return failure(await self.call("ask", {"question": "Will you decline?"}))

    async def boom(self):
        """A panic must come back as an error, and before the call times out."""
        try:
            result = await self.call("boom")
        except Exception as error:
            check("imed out" not in str(error), describe(error))
            return describe(error)
        return failure(result)


def _text(result):
    return "".join(block.get("text", "") for block in result["content"])


def success(result):
    """The text of a result that is no error."""
    check(not result.get("isError"), f"a tool error: {_text(result)}")
    return _text(result)


def failure(result):
    """The text of a tool error."""
    check(result.get("isError") is True, f"expected a tool error, got {result}")
    return _text(result)
