"""The report: what was tried, in order, and how each step went."""

import json
import time


class Stop(Exception):
    """A step failed that the rest of the scenario stands on; the step itself is already reported."""


class Wrong(AssertionError):
    """What was seen is not what must be."""


class Report:
    def __init__(self, **about):
        self.about = about
        self.steps = []
        self.errors = []
        self._running = None
        self._started = time.monotonic()

    @property
    def ok(self):
        return bool(self.steps) and all(step["ok"] for step in self.steps)

    async def step(self, name, run):
        """Runs one step. What it returns is the step's detail; a raise is its failure, and the scenario goes on."""
        self._running = name
        try:
            detail = await run()
        except Exception as error:
            self._add(name, False, describe(error))
            return None
        self._add(name, True, detail)
        return detail

    async def must(self, name, run):
        """Runs one step that the rest stands on."""
        detail = await self.step(name, run)
        if not self.steps[-1]["ok"]:
            raise Stop(name)
        return detail

    def skip(self, name, why):
        """Notes a step that does not apply here, and why."""
        self._add(name, True, f"skipped: {why}")

    def fail_running(self, why):
        """The scenario ran out of time in this step."""
        self._add(self._running or "start", False, why)

    def abort(self, error):
        """The scenario itself raised."""
        for leaf in leaves(error):
            if not isinstance(leaf, Stop):
                self._add("scenario", False, describe(leaf))

    def json(self):
        ms = round((time.monotonic() - self._started) * 1000)
        report = {"ok": self.ok, **self.about, "steps": self.steps, "errors": self.errors, "ms": ms}
        return json.dumps(report, default=lambda part: part.json())

    def _add(self, name, ok, detail):
        self._running = None
        self.steps.append({"name": name, "ok": ok, "detail": detail})


def leaves(error):
    """The errors inside an exception group: task groups wrap whatever passes through them."""
    inner = getattr(error, "exceptions", None)
    return [leaf for one in inner for leaf in leaves(one)] if inner else [error]


def describe(error):
    """An error as text, with the JSON-RPC code where it has one."""
    texts = []
    for leaf in leaves(error):
        code = getattr(getattr(leaf, "error", None), "code", None)
        texts.append(f"{type(leaf).__name__}{'' if code is None else f' {code}'}: {leaf}")
    return "; ".join(texts)


def check(held, otherwise):
    """Fails the running step unless `held`."""
    if not held:
        raise Wrong(otherwise)
