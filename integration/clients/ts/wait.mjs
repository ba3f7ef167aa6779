// Waiting for something to become true, and no longer than that.

import { setTimeout as sleep } from 'node:timers/promises';

/** Whether `probe` becomes true within `ms`. */
export async function within(ms, probe) {
  const deadline = performance.now() + ms;
  while (!(await probe())) {
    if (performance.now() > deadline) return false;
    await sleep(5);
  }
  return true;
}
