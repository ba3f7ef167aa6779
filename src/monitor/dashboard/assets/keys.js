// Single keys. They can be turned off, do nothing where somebody types, and leave everything with Ctrl, Alt or Meta alone.

const KEPT = 'mcp-sessions.keys';

/** @returns {boolean} */
export function keysAreOn() {
  try {
    return localStorage.getItem(KEPT) !== 'off';
  } catch {
    return true;
  }
}

/** @param {boolean} on */
export function setKeys(on) {
  try {
    localStorage.setItem(KEPT, on ? 'on' : 'off');
  } catch {
    // Without storage they stay on.
  }
}

/**
 * @param {Record<string, () => void>} page What keys do
 * @param {Record<string, () => void>} drawer What they do while a session is open
 */
export function listen(page, drawer) {
  addEventListener('keydown', (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.closest('input, select, textarea')) return;
    const isArrow = event.key === 'ArrowDown' || event.key === 'ArrowUp';
    if (isArrow ? !target.closest('tbody') : !keysAreOn()) return;
    const open = document.querySelector('dialog[open]');
    const act = (open === null ? page : open.id === 'drawer' && !document.querySelector('#dialog[open]') ? drawer : {})[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
