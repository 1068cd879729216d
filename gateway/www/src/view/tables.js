// What else the gateway says of itself: clients, messages, store, listeners, certificates.

import {row, setAttribute, setCells, setChildren, setHidden, setLevel, setText, element} from "../dom.js";
import {NOTHING, bytes, count, counted, date, duration, rate, words} from "../model/format.js";
import {certificateLevel} from "../model/verdict.js";
import {storeLevel} from "./flow.js";

const at = (id) => document.getElementById(id);

export function renderTables(status, now) {
  const gateway = status.gateway;
  if (gateway === null) return;
  renderPairs(at("numbers"), numbers(gateway, status.fieldRates));
  renderPairs(at("store"), store(gateway, status, now));
  renderListeners(gateway.listeners ?? []);
  renderCertificates(gateway.certificates ?? []);
}

function numbers(gateway, rates) {
  const {clients = {}, messages = {}, retained = {}, connections = {}} = gateway;
  return [
    ["Clients connected", count(clients.connected), `at most ${count(clients.maximum)}`],
    ["Sessions", count(clients.sessions), clients.expired > 0 ? `${count(clients.expired)} expired` : ""],
    ["Messages received", count(messages.received), rate(rates.received)],
    ["Messages sent", count(messages.sent), rate(rates.sent)],
    ["Messages dropped", count(messages.dropped), mostly(messages.dropped_by)],
    ["Retained", count(retained.messages), bytes(retained.bytes)],
    ["Connections refused", count(connections.refused), `of ${count(connections.offered)}`],
    ["Logins failed", count(connections.logins?.failed), ""],
  ];
}

// The reasons of drops, the most frequent first.
function mostly(dropped = {}) {
  const reasons = Object.entries(dropped).filter(([, number]) => number > 0).sort(([, a], [, b]) => b - a);
  return reasons.slice(0, 2).map(([reason, number]) => `${words(reason)} ${count(number)}`).join(", ");
}

function store(gateway, status, now) {
  const {store: kept = {}, heap = {}, clock = {}} = gateway;
  return [
    ["Store", words(kept.state ?? NOTHING), `for ${duration(status.secondsSince(kept.since_at, now))}`,
     storeLevel(kept.state)],
    ["Messages in it", count(kept.messages), bytes(kept.bytes)],
    ["Files", bytes(kept.file_bytes), ""],
    ["Written", bytes(kept.bytes_written), counted(kept.commits, "commit")],
    ["Acknowledges", gateway.acknowledge ?? NOTHING, gateway.acknowledge === "durable" ? "once on disk" : "at once"],
    ["Memory", bytes(gateway.memory_bytes), ""],
    ["Heap", bytes(heap.bytes), `at most ${bytes(heap.bytes_maximum)}`],
    ["Clock", clock.trusted ? "trusted" : "not trusted", clock.trusted ? "" : "messages expire by running time"],
  ];
}

// Rows of [name, value, remark, level].
function renderPairs(body, rows) {
  setChildren(body, rows, {
    key: ([name]) => name,
    make: () => row(2),
    update(tr, [name, value, remark, level]) {
      setText(tr.children[0], name);
      setText(tr.children[2], remark);
      if (level === undefined) setText(tr.children[1], value);
      else setState(tr.children[1], level, value);
    },
  });
}

// A word with the icon and colour of its level.
function setState(cell, level, word) {
  if (cell.firstChild === null) cell.append(element("span", {class: "state"}, ""));
  setLevel(cell.firstChild, level);
  if (cell.firstChild.lastChild.nodeValue !== word) cell.firstChild.lastChild.nodeValue = word;
}

function renderListeners(listeners) {
  setChildren(at("listeners"), listeners, {
    key: (one) => `${one.name} ${one.address}`,
    make: () => row(3),
    update(tr, one) {
      setText(tr.children[0], one.name);
      setState(tr.children[1], one.state === "listening" ? "ok" : "warn", one.state);
      setText(tr.children[2], one.address);
      setText(tr.children[3], one.tls ? `${one.protocol}, TLS` : one.protocol);
      setAttribute(tr, "title", one.reason);
    },
  });
}

function renderCertificates(certificates) {
  setHidden(at("no-certificates"), certificates.length > 0);
  setHidden(at("certificates-scroll"), certificates.length === 0);
  setChildren(at("certificates"), certificates, {
    key: (one) => `${one.name} ${one.file}`,
    make: () => row(3),
    update(tr, one) {
      setCells(tr, [one.name, one.subject, date(Date.parse(one.not_after))]);
      setState(tr.children[3], certificateLevel(one.days), one.days < 0 ? "expired" : counted(one.days, "day"));
    },
  });
}
