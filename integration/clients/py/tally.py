"""What many rounds came to: a step of the report for each of their steps, with the rounds that failed in it, and a summary."""

import math
import time

TOLD = 10
"""Failures told of one step; the rest are counted."""


class Tally:
    def __init__(self, report, total):
        """Adds its steps and its summary to `report`, which is right at any moment."""
        self.interrupted = []  # what was tried again because a call was cut off: {round, began, step, why}
        self.repeated = 0  # how often a note was put again because nothing was heard of it
        self.duplicates = {}  # notifications heard more often than they were due, by method
        self.late_answers = 0  # answers other than 404 to a session that had ended
        self._total = total
        self._steps = report.steps
        self._lines = {}
        self._times = []
        self._started = time.monotonic()
        report.about["rounds"] = self

    def passed(self, step):
        self._line(step)["detail"]["passed"] += 1

    def failed(self, step, number, why):
        line = self._line(step)
        line["ok"] = False
        line["detail"]["failed"] += 1
        if len(line["detail"]["rounds"]) < TOLD:
            line["detail"]["rounds"].append({"round": number, "why": why})

    def duplicate(self, method, times):
        if times > 0:
            self.duplicates[method] = self.duplicates.get(method, 0) + times

    def over(self, seconds):
        """A round is over, well or not."""
        self._times.append(seconds * 1000)

    def json(self):
        done = len(self._times)
        return {
            "total": self._total,
            "done": done,
            "perSecond": round(done / (time.monotonic() - self._started), 1),
            "p50Ms": self._percentile(0.5),
            "p95Ms": self._percentile(0.95),
            "interrupted": self.interrupted,
            "repeated": self.repeated,
            "duplicates": self.duplicates,
            "lateAnswers": self.late_answers,
        }

    def _percentile(self, share):
        ordered = sorted(self._times)
        return round(ordered[math.ceil(share * len(ordered)) - 1]) if ordered else 0

    def _line(self, name):
        if name not in self._lines:
            self._lines[name] = {"name": name, "ok": True, "detail": {"passed": 0, "failed": 0, "rounds": []}}
            self._steps.append(self._lines[name])
        return self._lines[name]
