// The states of a bridge, as a person is told of them.

import {words} from "./format.js";

// What each state of a bridge means. `level` is how it looks: ok, busy, warn, bad, off.
const STATES = {
  online: {level: "ok", word: "online", isAway: false},
  draining: {level: "busy", word: "draining", isAway: false},
  connecting: {level: "warn", word: "connecting", isAway: true},
  backoff: {level: "bad", word: "away", isAway: true},
  stalled: {level: "bad", word: "stalled", isAway: true},
  waiting: {level: "off", word: "waiting", isAway: false},
  disabled: {level: "off", word: "disabled", isAway: false},
};

export function stateOf(bridge) {
  return STATES[bridge.state] ?? {level: "warn", word: words(bridge.state ?? "unknown"), isAway: false};
}
