// What many rounds came to: a step of the report for each of their steps, with the rounds that failed in it, and a summary.

/** Failures told of one step; the rest are counted. */
const TOLD = 10;

export class Tally {
  done = 0;
  /** What was tried again because a call was cut off: {round, began, step, why}, the round's start in Unix time. */
  interrupted = [];
  /** How often a note was put again because nothing was heard of it. */
  repeated = 0;
  /** Notifications heard more often than they were due, by method. */
  duplicates = {};
  /** Answers other than 404 to a session that had ended. */
  lateAnswers = 0;
  #lines = new Map();
  #times = [];
  #started = performance.now();

  /** Adds its steps and its summary to `report`, which is right at any moment. */
  constructor(report, total) {
    this.total = total;
    this.#steps = report.steps;
    report.rounds = this;
  }

  #steps;

  passed(step) {
    this.#line(step).detail.passed += 1;
  }

  failed(step, round, why) {
    const line = this.#line(step);
    line.ok = false;
    line.detail.failed += 1;
    if (line.detail.rounds.length < TOLD) line.detail.rounds.push({ round, why });
  }

  duplicate(method, times) {
    if (times > 0) this.duplicates[method] = (this.duplicates[method] ?? 0) + times;
  }

  /** A round is over, well or not. */
  over(ms) {
    this.done += 1;
    this.#times.push(ms);
  }

  toJSON() {
    const { total, done, interrupted, repeated, duplicates, lateAnswers } = this;
    const sorted = this.#times.toSorted((a, b) => a - b);
    const percentile = (share) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
    const perSecond = Math.round((done / (performance.now() - this.#started)) * 10_000) / 10;
    const figures = { total, done, perSecond, p50Ms: percentile(0.5), p95Ms: percentile(0.95) };
    return { ...figures, interrupted, repeated, duplicates, lateAnswers };
  }

  #line(name) {
    if (!this.#lines.has(name)) {
      const line = { name, ok: true, detail: { passed: 0, failed: 0, rounds: [] } };
      this.#lines.set(name, line);
      this.#steps.push(line);
    }
    return this.#lines.get(name);
  }
}
