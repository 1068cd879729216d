// What the gateway has said of itself: its status documents, the latest of each, and what follows from two of them.
//
// Pure: time is passed in, as milliseconds of this browser's clock. That clock and the gateway's may differ, so ages
// are told by the gateway's, as its documents show it.

import {History} from "./history.js";

const PREFIX = "$SYS/furrow/";
const BRIDGES_MAX = 100; // a gateway with more has its other pages

export class Status {
  gateway = null;
  alarms = null; // the list, once the gateway publishes one
  bridges = new Map(); // by name, in the order of names
  heardAt = null; // when the last document came
  fieldRates = {received: null, sent: null};
  histories = new Map(); // of each bridge
  #clockAhead = 0; // of the gateway's clock, in milliseconds
  #counted = null; // the counters of the gateway's last document, and their time

  // A document came; an empty one takes its topic away. Returns whether it was one that this page knows.
  take(topic, text, now) {
    if (!topic.startsWith(PREFIX)) return false;
    const name = topic.slice(PREFIX.length);
    if (text === "") return this.#remove(name);
    const document = parse(text);
    if (document === null) return false;
    const known = this.#keep(name, document);
    if (known) {
      this.heardAt = now;
      const said = Date.parse(document.time);
      if (Number.isFinite(said)) this.#clockAhead = said - now;
    }
    return known;
  }

  // Seconds since a moment that a document names.
  secondsSince(text, now) {
    const then = Date.parse(text);
    return Number.isFinite(then) ? Math.max(0, (now + this.#clockAhead - then) / 1000) : null;
  }

  // How old a document is, by what it says of its own time.
  age(document, now) {
    return this.secondsSince(document.time, now) ?? 0;
  }

  #keep(name, document) {
    if (name === "gateway") return this.#keepGateway(document);
    if (name === "alarms") {
      this.alarms = Array.isArray(document.alarms) ? document.alarms : null;
      return true;
    }
    if (name === "history") return this.#keepHistory(document);
    if (name.startsWith("bridge/")) return this.#keepBridge(name.slice("bridge/".length), document);
    return false;
  }

  #keepGateway(document) {
    const time = Date.parse(document.time) / 1000;
    const counted = {time, received: document.messages?.received, sent: document.messages?.sent};
    const before = this.#counted;
    // A document that a new subscription brought may be the one that is known already.
    if (before === null || time - before.time >= 0.5 || time < before.time) {
      this.fieldRates = {received: perSecond(before, counted, "received"), sent: perSecond(before, counted, "sent")};
      this.#counted = counted;
    }
    this.gateway = document;
    return true;
  }

  #keepBridge(name, document) {
    if (!this.bridges.has(name)) {
      if (this.bridges.size >= BRIDGES_MAX) return false;
      this.bridges.set(name, document);
      this.bridges = new Map([...this.bridges].sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    this.bridges.set(name, document);
    this.historyOf(name).add({
      time: Date.parse(document.time) / 1000,
      rate: document.rate?.up_per_s ?? null,
      backlog: document.backlog?.messages ?? null,
      silence: silence(document, document.backlog?.messages),
    });
    return true;
  }

  // A gateway that remembers what was before this page was opened says it by bridge.
  #keepHistory(document) {
    for (const [name, points] of Object.entries(document.bridges ?? {}).slice(0, BRIDGES_MAX)) {
      if (!Array.isArray(points)) continue;
      this.historyOf(name).addEarlier(points.map((one) => ({
        time: Date.parse(one.time) / 1000,
        rate: one.up_per_s ?? null,
        backlog: one.backlog ?? null,
        silence: silence(one, one.backlog),
      })));
    }
    return true;
  }

  historyOf(name) {
    if (!this.histories.has(name)) this.histories.set(name, new History());
    return this.histories.get(name);
  }

  #remove(name) {
    if (name === "alarms") this.alarms = null;
    if (!name.startsWith("bridge/")) return false;
    this.histories.delete(name.slice("bridge/".length));
    return this.bridges.delete(name.slice("bridge/".length));
  }
}

// For how long a bridge has waited for an acknowledgement; one with nothing to send waits for none.
function silence({inflight = 0, last_ack_s: lastAcknowledged}, backlog = 0) {
  return backlog + inflight > 0 ? lastAcknowledged ?? null : 0;
}

function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

// Null where that cannot be told: at the first document, and when the gateway was started anew in between.
function perSecond(before, now, name) {
  if (before === null) return null;
  const grown = now[name] - before[name];
  const passed = now.time - before.time;
  return grown >= 0 && passed > 0 ? grown / passed : null;
}
