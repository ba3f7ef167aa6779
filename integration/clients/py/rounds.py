"""The `rounds` scenario: session after session, several at a time.

Each round does everything that a replica must not keep to itself.
"""

import asyncio
import itertools
import time
import uuid
from contextlib import AsyncExitStack

from py import sdk
from py.generation import http
from py.notices import LIST_CHANGED, MESSAGE, UPDATED, Notices
from py.report import Wrong, check, describe
from py.tally import Tally
from py.tools import failure, success
from py.wait import within

GONE_WITHIN = 3.0
"""How long an ended session may still be known to a replica. No requirement: the promise is one second."""

PUT_AGAIN = 1.0
"""How long nothing is heard of a note before it is put again."""


async def rounds(url, options, report):
    tally = Tally(report, options["rounds"])
    report.about["era"] = "legacy"
    sdk.capture_log(report.errors)
    nonce = uuid.uuid4()
    numbers = iter(range(1, options["rounds"] + 1))

    async def worker():
        for number in numbers:
            await _Round(url, options, tally, number, f"{number}-{nonce}").play()

    await asyncio.gather(*(worker() for _ in range(options["parallel"])))


class _Round:
    """One session from `initialize` to DELETE. All it says is its own, so that nothing of another one can pass for it."""

    def __init__(self, url, options, tally, number, own):
        self.url = url
        self.options = options
        self.tally = tally
        self.number = number
        self.own = own
        self.note = None
        self._began = round(time.time() * 1000)
        self._notes = itertools.count(1)
        self._patience = options["noticeTimeoutMs"] / 1000
        self._tolerates = options["tolerate"] == "interrupted calls"
        self._stack = AsyncExitStack()
        self._connection = None
        self._exchanges = []
        self._notices = Notices()
        self._questions = []
        self._was_terminated = False

    async def play(self):
        started = time.monotonic()
        try:
            await self._steps()
        except Exception as error:  # the SDK's tasks ended by themselves, and so did the round
            self.tally.failed("the client stays", self.number, describe(error))
        for method, times in self._notices.duplicates().items():
            self.tally.duplicate(method, times)
        self.tally.over(time.monotonic() - started)

    async def _steps(self):
        async with self._stack:
            if not await self.step("connect", self.connect):
                return
            session_id = self._connection.session_id
            await self.step("echo", lambda: self.says("echo", {"text": self.own}, self.own))
            await self.step("countdown", self.countdown)
            await self.step("ask", self.ask)
            await self.step("a new note", self.new_note)
            await self.step("a note that changes", self.changed_note)
            await self.step("a note that is logged", self.logged_note)
            await self.step("never 404", self.never_gone)
            await self.step("terminate", lambda: self.terminate(session_id))
        await self.step("the old id is 404", lambda: self.gone(session_id))

    async def step(self, name, run):
        """Runs a step, once more if it was cut off and that is to be tolerated. A wrong answer and a 404 never are."""
        for left in (1, 0) if self._tolerates else (0,):
            try:
                await run()
            except Exception as error:
                if left == 0 or isinstance(error, Wrong) or self._was_gone():
                    self.tally.failed(name, self.number, describe(error))
                    return False
                self._interrupted(name, describe(error))
            else:
                self.tally.passed(name)
                return True

    def _interrupted(self, name, why):
        self.tally.interrupted.append({"round": self.number, "began": self._began, "step": name, "why": why})

    async def connect(self):
        await self._stack.aclose()
        before = len(self._exchanges)
        connecting = sdk.connect(
            self.url,
            self.options,
            answer=self.answer,
            hear=self._notices.hear,
            exchanges=self._exchanges,
            survive=self._interrupted if self._tolerates else None,
        )
        self._connection = await self._stack.enter_async_context(connecting)
        check(self._connection.session_id is not None, "no session id")

        async def listens():
            return any(one["method"] == "GET" and one["status"] == 200 for one in self._exchanges[before:])

        if not await within(self._patience, listens):
            raise TimeoutError(f"no GET stream within {self._patience} s")

    async def says(self, tool, arguments, expected):
        said = success(await self._connection.call(tool, arguments))
        check(said == expected, f"{tool}: expected {expected!r}, got {said!r}")

    async def countdown(self):
        steps, seen = self.options["from"], []

        async def note(progress, total, _message=None):
            seen.append((progress, total))

        arguments = {"from": steps, "interval_ms": self.options["intervalMs"]}
        said = success(await self._connection.call("countdown", arguments, note))
        check(said == f"counted to {steps}", f"countdown said {said!r}")
        check(seen == [(step, steps) for step in range(1, steps + 1)], f"progress: {seen}")

    def answer(self, question):
        self._questions.append(question)
        return f"answer {self.own}"

    async def ask(self):
        self._questions.clear()
        question = f"question {self.own}"
        if self.options["ask"] == "error":
            failure(await self._connection.call("ask", {"question": question}))
            return
        await self.says("ask", {"question": question}, f"answer {self.own}")
        check(self._questions == [question], f"was asked {self._questions}")

    async def new_note(self):
        """Each try has a note of its own: one that was cut off may have put its note."""
        self.note = f"note-{self.number}-{next(self._notes)}"
        self._notices.expect(LIST_CHANGED)
        await self.put(f"first {self.own}")
        await self.says("note_get", {"name": self.note}, f"first {self.own}")
        if not await self._notices.heard(LIST_CHANGED, self._patience):
            raise self._unheard(LIST_CHANGED)

    async def changed_note(self):
        uri = f"note://{self.note}"
        await self._connection.subscribe(uri)
        text = await self.put_until_heard("second", [UPDATED], lambda params: params["uri"] == uri)
        read = await self._connection.read(uri)
        check(read == text, f"the note reads {read!r}")

    async def logged_note(self):
        await self._connection.set_log_level("info")
        await self.put_until_heard("third", [MESSAGE, UPDATED], lambda params: params["data"] == {"noted": self.note})

        async def is_told():
            return self._notices.times(UPDATED) >= 2

        # Word of a change may be held back a moment, and should not come to a client that is closing.
        if not await within(self._patience, is_told):
            raise self._unheard(UPDATED)

    async def put_until_heard(self, what, notifications, match):
        """Puts the note until the first of `notifications`, all of which are then due, is heard, and returns its text.

        What the client has just asked of one replica, another may learn a moment later, and so miss a note.
        """
        deadline = time.monotonic() + self._patience
        for turn in itertools.count(1):
            for notification in notifications:
                self._notices.expect(notification)
            text = f"{what} {turn} {self.own}"
            await self.put(text)
            if await self._notices.heard(notifications[0], PUT_AGAIN, match):
                return text
            if time.monotonic() > deadline:
                raise self._unheard(notifications[0])
            self.tally.repeated += 1

    def _unheard(self, notification):
        return TimeoutError(f"{notification} was not heard within {self._patience} s")

    async def put(self, value):
        await self.says("note_put", {"name": self.note, "value": value}, f'noted "{self.note}"')

    async def never_gone(self):
        check(not self._was_gone(), "a live session was answered with 404")

    async def terminate(self, session_id):
        """The SDK sends DELETE when it closes, and only once."""
        if self._was_terminated:
            # A DELETE that was cut off may have ended the session.
            status = await sdk.delete(session_id, self.url, self.options["headers"])
            check(status in (200, 204, 404), f"the second DELETE was answered with {status}")
            return
        self._was_terminated = True
        await self._stack.aclose()
        statuses = [one["status"] for one in self._exchanges if one["method"] == "DELETE"][-1:]
        if not statuses or statuses[0] >= 500:
            raise ConnectionError(f"DELETE was answered with {statuses}")
        check(statuses[0] in (200, 204), f"DELETE was answered with {statuses}")

    async def gone(self, session_id):
        async def is_gone():
            try:
                status = await sdk.post_with(session_id, self.url, self.options["headers"])
            except http.HTTPError:
                status = None
            self.tally.late_answers += status != 404
            return status == 404

        check(await within(GONE_WITHIN, is_gone), f"the old id is answered, {GONE_WITHIN} s after its end")

    def _was_gone(self):
        return any(one["status"] == 404 for one in self._exchanges)
