// The picture: field → gateway → regions, with what goes over each wire now.

import {element, setAttribute, setChildren, setHidden, setLevel, setText, svg} from "../dom.js";
import {count, counted, rate, words} from "../model/format.js";
import {stateOf} from "../model/states.js";

const at = (id) => document.getElementById(id);

export function renderFlow(status) {
  const gateway = status.gateway;
  const bridges = [...status.bridges.values()];
  if (gateway !== null) {
    setNumber(at("field-clients"), at("field-clients-unit"), gateway.clients?.connected, "client", "clients");
    setText(at("hub-id"), gateway.id);
    const store = at("hub-store");
    setLevel(store, storeLevel(gateway.store?.state));
    store.lastChild.nodeValue = `store ${words(gateway.store?.state ?? "unknown")}`;
  }
  const waiting = bridges.reduce((sum, one) => sum + (one.backlog?.messages ?? 0), 0);
  setNumber(at("hub-waiting"), at("hub-waiting-unit"), waiting, "message waits", "messages wait");
  renderWire(at("field-wire"), {forth: status.fieldRates.received, back: status.fieldRates.sent, level: "ok"});
  setHidden(at("no-regions"), bridges.length > 0);
  setChildren(at("regions"), bridges, {key: (one) => one.name, make: makeRegion, update: renderRegion});
}

export function storeLevel(state) {
  return {ok: "ok", slow: "warn", salvaging: "warn"}[state] ?? (state === undefined ? "off" : "bad");
}

function setNumber(number, unit, value, one, many) {
  setText(number, count(value));
  setText(unit, value === 1 ? one : many);
}

function makeRegion() {
  return element("li", {}, element("div", {class: "wire"}),
    element("div", {class: "node"}, element("h3"), element("p", {class: "state"}, ""), element("p", {class: "quiet"})));
}

function renderRegion(item, bridge) {
  const {level, word, isAway} = stateOf(bridge);
  renderWire(item.firstChild, {
    forth: bridge.rate?.up_per_s, back: bridge.rate?.down_per_s, level, isBroken: isAway || level === "off",
  });
  const node = item.lastChild;
  setText(node.querySelector("h3"), bridge.name);
  const state = node.querySelector(".state");
  setLevel(state, level);
  state.lastChild.nodeValue = word;
  setText(node.lastChild, counted(bridge.backlog?.messages, "message waits", "messages wait"));
}

// A line with what goes forth above it and what comes back beneath. Dots move along it, in one of four paces.
function renderWire(wire, {forth, back, level, isBroken = false}) {
  if (wire.childElementCount === 0) {
    const line = (name) => svg("line", {class: name, x1: 0, y1: 4, x2: "100%", y2: 4});
    wire.append(
      element("p", {class: "forth"}, element("span", {"aria-hidden": "true"}, "→ "), element("span")),
      svg("svg", {class: "across", height: 8, width: "100%", "aria-hidden": "true", focusable: "false"},
        line("line"), line("dots")),
      element("p", {class: "back"}, element("span", {"aria-hidden": "true"}, "← "), element("span")));
  }
  setAttribute(wire, "data-level", level);
  setAttribute(wire, "data-broken", isBroken ? "yes" : "no");
  setAttribute(wire, "data-pace", isBroken ? 0 : pace(forth));
  setText(wire.querySelector(".forth span:last-child"), rate(forth));
  setText(wire.querySelector(".back span:last-child"), rate(back));
}

function pace(perSecond) {
  if (!(perSecond > 0)) return 0;
  return perSecond < 10 ? 1 : perSecond < 1000 ? 2 : 3;
}
