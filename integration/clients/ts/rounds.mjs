// The `rounds` scenario: session after session, several at a time. Each round does everything that a replica must not keep to
// itself.

import { check, describe, Wrong } from './report.mjs';
import { LIST_CHANGED, MESSAGE, Notices, UPDATED } from './notices.mjs';
import { connect, statusOf } from './sdk.mjs';
import { Tally } from './tally.mjs';
import { success } from './tools.mjs';
import { within } from './wait.mjs';

/** How long an ended session may still be known to a replica. No requirement: the promise is one second. */
const GONE_WITHIN_MS = 3000;

/** How long nothing is heard of a note before it is put again. */
const PUT_AGAIN_MS = 1000;

export async function rounds(run) {
  const { options, report } = run;
  const tally = new Tally(report, options.rounds);
  report.era = 'legacy';
  const nonce = crypto.randomUUID();
  let next = 0;
  const worker = async () => {
    while (next < options.rounds) {
      const number = (next += 1);
      await new Round(run, tally, number, `${number}-${nonce}`).play();
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, worker));
}

/** One session from `initialize` to DELETE. All it says is its own, so that nothing of another one can pass for it. */
class Round {
  #began = Date.now();
  #connection;
  #exchanges = [];
  #isClosed = false;
  #notes = 0;
  #notices = new Notices();
  #questions = [];
  #wasTerminated = false;

  constructor(run, tally, number, own) {
    Object.assign(this, { run, tally, number, own });
  }

  async play() {
    const started = performance.now();
    if (await this.step('connect', () => this.connect())) {
      await this.step('echo', () => this.says('echo', { text: this.own }, this.own));
      await this.step('countdown', () => this.countdown());
      await this.step('ask', () => this.ask());
      await this.step('a new note', () => this.newNote());
      await this.step('a note that changes', () => this.changedNote());
      await this.step('a note that is logged', () => this.loggedNote());
      await this.step('never 404', () => this.neverGone());
      const { sessionId } = this.#connection;
      await this.step('terminate', () => this.terminate());
      await this.close();
      await this.step('the old id is 404', () => this.gone(sessionId));
    } else {
      await this.close();
    }
    this.#notices.duplicates().forEach(([method, times]) => this.tally.duplicate(method, times));
    this.tally.over(performance.now() - started);
  }

  /** Runs a step, once more if it was cut off and that is to be tolerated. A wrong answer and a 404 never are. */
  async step(name, run) {
    for (let left = this.run.options.tolerate === 'interrupted calls' ? 1 : 0; ; left -= 1) {
      try {
        await run();
        this.tally.passed(name);
        return true;
      } catch (error) {
        if (left === 0 || error instanceof Wrong || this.#wasGone()) {
          this.tally.failed(name, this.number, describe(error));
          return false;
        }
        this.tally.interrupted.push({ round: this.number, began: this.#began, step: name, why: describe(error) });
      }
    }
  }

  /** The client gives up; what it has to say of its own streams being cut is no complaint. */
  async close() {
    this.#isClosed = true;
    await this.#connection?.close();
  }

  async connect() {
    await this.close();
    this.#isClosed = false;
    const { sdk, url, options, report } = this.run;
    const before = this.#exchanges.length;
    this.#connection = await connect({
      sdk, url, options, exchanges: this.#exchanges,
      onQuestion: (question) => this.answer(question),
      onNotice: (notice) => this.#notices.hear(notice),
      onError: (error) => this.#isClosed || report.errors.push(`round ${this.number}: ${error.message ?? error}`),
    });
    check(this.#connection.sessionId, 'no session id');
    const listens = ({ method, status }) => method === 'GET' && status === 200;
    const isOpen = await within(options.noticeTimeoutMs, () => this.#exchanges.slice(before).some(listens));
    if (!isOpen) throw new Error(`no GET stream within ${options.noticeTimeoutMs} ms`);
  }

  async says(tool, args, expected) {
    const said = success(await this.#connection.call(tool, args));
    check(said === expected, `${tool}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(said)}`);
  }

  async countdown() {
    const { from, intervalMs } = this.run.options;
    const seen = [];
    const note = ({ progress, total }) => seen.push(`${progress}/${total}`);
    const said = success(await this.#connection.call('countdown', { from, interval_ms: intervalMs }, note));
    check(said === `counted to ${from}`, `countdown said ${JSON.stringify(said)}`);
    const expected = Array.from({ length: from }, (_, i) => `${i + 1}/${from}`);
    check(seen.join() === expected.join(), `progress: ${seen}`);
  }

  answer(question) {
    this.#questions.push(question);
    return { action: 'accept', content: { answer: `answer ${this.own}` } };
  }

  async ask() {
    this.#questions = [];
    await this.says('ask', { question: `question ${this.own}` }, `answer ${this.own}`);
    check(this.#questions.join() === `question ${this.own}`, `was asked ${JSON.stringify(this.#questions)}`);
  }

  /** Each try has a note of its own: one that was cut off may have put its note. */
  async newNote() {
    this.note = `note-${this.number}-${(this.#notes += 1)}`;
    this.#notices.expect(LIST_CHANGED);
    await this.put(`first ${this.own}`);
    await this.says('note_get', { name: this.note }, `first ${this.own}`);
    const { noticeTimeoutMs } = this.run.options;
    if (!(await this.#notices.heard(LIST_CHANGED, noticeTimeoutMs))) throw unheard(LIST_CHANGED, noticeTimeoutMs);
  }

  async changedNote() {
    const ours = `note://${this.note}`;
    await this.#connection.subscribe(ours);
    const text = await this.putUntilHeard('second', [UPDATED], ({ uri }) => uri === ours);
    const read = await this.#connection.read(ours);
    check(read === text, `the note reads ${JSON.stringify(read)}`);
  }

  async loggedNote() {
    await this.#connection.setLogLevel('info');
    await this.putUntilHeard('third', [MESSAGE, UPDATED], ({ data }) => data.noted === this.note);
    // Word of a change may be held back a moment, and should not come to a client that is closing.
    const { noticeTimeoutMs } = this.run.options;
    if (!(await within(noticeTimeoutMs, () => this.#notices.times(UPDATED) >= 2))) throw unheard(UPDATED, noticeTimeoutMs);
  }

  /**
   * Puts the note until the first of `notifications`, all of which are then due, is heard, and returns its text. What the
   * client has just asked of one replica, another may learn a moment later, and so miss a note.
   */
  async putUntilHeard(what, notifications, match) {
    const { noticeTimeoutMs } = this.run.options;
    const deadline = performance.now() + noticeTimeoutMs;
    for (let turn = 1; ; turn += 1) {
      notifications.forEach((notification) => this.#notices.expect(notification));
      const text = `${what} ${turn} ${this.own}`;
      await this.put(text);
      if (await this.#notices.heard(notifications[0], PUT_AGAIN_MS, match)) return text;
      if (performance.now() > deadline) throw unheard(notifications[0], noticeTimeoutMs);
      this.tally.repeated += 1;
    }
  }

  async put(value) {
    await this.says('note_put', { name: this.note, value }, `noted "${this.note}"`);
  }

  neverGone() {
    check(!this.#wasGone(), 'a live session was answered with 404');
  }

  async terminate() {
    const isSecond = this.#wasTerminated;
    this.#wasTerminated = true;
    const status = await this.#connection.terminate();
    if (status >= 500) throw new Error(`DELETE was answered with ${status}`);
    // A DELETE that was cut off may have ended the session.
    check(status === 200 || status === 204 || (isSecond && status === 404), `DELETE was answered with ${status}`);
  }

  async gone(sessionId) {
    const isGone = async () => {
      const status = await statusOf(sessionId, this.run.url, this.run.options).catch(() => null);
      if (status !== 404) this.tally.lateAnswers += 1;
      return status === 404;
    };
    check(await within(GONE_WITHIN_MS, isGone), `the old id is answered, ${GONE_WITHIN_MS} ms after its end`);
  }

  #wasGone() {
    return this.#exchanges.some(({ status }) => status === 404);
  }
}

function unheard(notification, ms) {
  return new Error(`${notification} was not heard within ${ms} ms`);
}
