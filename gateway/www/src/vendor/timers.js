// In place of worker-timers, which makes its worker from a `blob:` that this page's policy forbids.
export const setInterval = (...all) => globalThis.setInterval(...all);
export const clearInterval = (...all) => globalThis.clearInterval(...all);
