// The report: what was tried, in order, and how each step went.

/** Thrown when a step failed that the rest of the scenario stands on; the step itself is already reported. */
class Stop extends Error {}

export class Report {
  steps = [];
  errors = [];
  #running = null;
  #started = performance.now();

  constructor(about) {
    Object.assign(this, about);
  }

  get ok() {
    return this.steps.length > 0 && this.steps.every((step) => step.ok);
  }

  /** Runs one step. What it returns is the step's detail; a throw is its failure, and the scenario goes on. */
  async step(name, run) {
    this.#running = name;
    try {
      const detail = await run();
      this.#add(name, true, detail);
      return detail;
    } catch (error) {
      this.#add(name, false, describe(error));
      return undefined;
    }
  }

  /** Runs one step that the rest stands on. */
  async must(name, run) {
    const detail = await this.step(name, run);
    if (!this.steps.at(-1).ok) throw new Stop(name);
    return detail;
  }

  /** Notes a step that does not apply here, and why. */
  skip(name, why) {
    this.#add(name, true, `skipped: ${why}`);
  }

  /** The scenario ran out of time in this step. */
  failRunning(why) {
    this.#add(this.#running ?? 'start', false, why);
  }

  /** The scenario itself threw. */
  abort(error) {
    if (!(error instanceof Stop)) this.#add('scenario', false, describe(error));
  }

  #add(name, ok, detail) {
    this.#running = null;
    this.steps.push({ name, ok, detail: detail ?? null });
  }

  toJSON() {
    return { ok: this.ok, ...this, ms: Math.round(performance.now() - this.#started) };
  }
}

/** An error as text, with the HTTP status or the JSON-RPC code where it has one. */
export function describe(error) {
  const code = error?.status ?? error?.code;
  const cause = error?.cause ? ` (${error.cause.message ?? error.cause})` : '';
  return `${error?.name ?? 'error'}${code === undefined ? '' : ` ${code}`}: ${error?.message ?? error}${cause}`;
}

/** What was seen is not what must be. */
export class Wrong extends Error {}

/** Fails the running step unless `held`. */
export function check(held, otherwise) {
  if (!held) throw new Wrong(otherwise);
}
