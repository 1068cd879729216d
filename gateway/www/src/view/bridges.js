// A card for each bridge: its state and why, what waits and until when, and its books.

import {element, row, setAttribute, setCells, setChildren, setHidden, setLevel, setText} from "../dom.js";
import {missing, places} from "../model/books.js";
import {NOTHING, bytes, count, counted, duration, rate, timeOfDay} from "../model/format.js";
import {stateOf} from "../model/states.js";

const METRICS = ["waiting", "eta", "up", "down", "oldest", "acknowledged"];
const RULES_OPEN = 4; // as many as the only card has room for
const TITLES = {
  waiting: "Waiting", eta: "Through in", up: "Up", down: "Down", oldest: "Oldest waits",
  acknowledged: "Last acknowledged",
};

export function renderBridges(status, now) {
  const bridges = [...status.bridges.values()];
  setHidden(document.getElementById("bridges-section"), bridges.length === 0);
  setChildren(document.getElementById("bridges"), bridges, {
    key: (one) => one.name,
    make: (bridge) => makeCard(bridge, bridges.length === 1),
    update: (card, bridge) => renderCard(card, bridge, status, now),
  });
}

function makeCard(bridge, isAlone) {
  const id = `bridge-${bridge.name}`;
  const metric = (name) => element("div", {class: "metric", "data-metric": name}, element("dt", {}, TITLES[name]),
    element("dd", {}, element("span", {class: "big"}), element("span", {class: "quiet"})));
  return element("article", {class: "panel bridge", "aria-labelledby": id, "data-bridge": bridge.name},
    element("header", {}, element("h3", {id}, bridge.name), element("p", {class: "state pill"}, ""),
      element("p", {class: "remote"})),
    element("p", {class: "age"}), element("p", {class: "reason"}),
    element("div", {class: "columns"},
      element("div", {}, element("dl", {class: "metrics"}, ...METRICS.map(metric)), makeRules(bridge, isAlone)),
      element("div", {class: "books"},
        element("table", {class: "plain"}, element("caption", {}, element("span", {class: "balance"}, "")),
          element("tbody"), element("tfoot", {}, row(1))))));
}

function makeRules(bridge, isAlone) {
  const titles = ["Filter", "Direction", "Up", "Down"].map((one) => element("th", {scope: "col"}, one));
  const isOpen = isAlone && (bridge.rules ?? []).length <= RULES_OPEN;
  return element("details", {class: "rules", open: isOpen}, element("summary"),
    element("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": `Rules of ${bridge.name}`},
      element("table", {}, element("thead", {}, element("tr", {}, ...titles)), element("tbody"))));
}

function renderCard(card, bridge, status, now) {
  const {level, word} = stateOf(bridge);
  setAttribute(card, "data-state", bridge.state);
  setAttribute(card, "data-seq", bridge.seq);
  setAttribute(card, "data-backlog", bridge.backlog?.messages ?? "");
  setAttribute(card, "data-eta", bridge.drain_eta_s ?? "");
  setAttribute(card, "data-level", level);
  const pill = card.querySelector(".pill");
  setLevel(pill, level);
  pill.lastChild.nodeValue = word;
  setText(card.querySelector(".remote"), bridge.remote ?? "");
  setText(card.querySelector(".age"), ageText(bridge, status, now));
  setText(card.querySelector(".reason"), bridge.reason ?? "");
  renderMetrics(card, bridge, status.age(bridge, now));
  renderBooks(card, bridge);
  renderRules(card.querySelector(".rules"), bridge.rules ?? []);
}

function ageText(bridge, status, now) {
  const since = bridge.since_at;
  const age = duration(status.secondsSince(since, now));
  const text = `${capital(stateOf(bridge).word)} for ${age}, since ${timeOfDay(Date.parse(since))}`;
  const next = bridge.next_attempt_s;
  if (typeof next !== "number") return text;
  const left = next - status.age(bridge, now);
  return `${text} · next attempt ${left > 0.5 ? `in ${duration(left)}` : "now"}`;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// `age`: seconds since the document was made, by which ages have grown and the rest of a drain has shrunk.
function renderMetrics(card, bridge, age) {
  const backlog = bridge.backlog ?? {};
  const older = (seconds) => (typeof seconds === "number" ? seconds + age : null);
  const eta = typeof bridge.drain_eta_s === "number" ? Math.max(1, bridge.drain_eta_s - age) : null;
  const values = {
    waiting: [count(backlog.messages), bytes(backlog.bytes)],
    eta: [eta === null ? (backlog.messages > 0 ? "not known" : NOTHING) : `about ${duration(eta)}`, ""],
    up: [rate(bridge.rate?.up_per_s), ""],
    down: [rate(bridge.rate?.down_per_s), ""],
    oldest: [duration(older(backlog.oldest_s)), ""],
    acknowledged: [agoText(older(bridge.last_ack_s)), ""],
  };
  for (const metric of card.querySelectorAll(".metric")) {
    const [value, more] = values[metric.dataset.metric];
    const [shown, beside] = metric.querySelectorAll("dd span");
    setText(shown, value);
    setText(beside, more);
  }
}

function agoText(seconds) {
  if (seconds === null) return NOTHING;
  return seconds < 1.5 ? "just now" : `${duration(seconds)} ago`;
}

function renderBooks(card, bridge) {
  const books = card.querySelector(".books");
  const wrong = missing(bridge);
  const balance = books.querySelector(".balance");
  setLevel(balance, wrong === 0 ? "ok" : "bad");
  balance.lastChild.nodeValue = wrong === 0 ? "Books balance, each message in one place"
    : `Books do not balance: ${counted(Math.abs(wrong), "message")} ${wrong > 0 ? "missing" : "too many"}`;
  setAttribute(card, "data-missing", wrong);
  setChildren(books.querySelector("tbody"), places(bridge), {
    key: (one) => one.place,
    make: () => row(1),
    update(tr, one) {
      setCells(tr, [one.place, count(one.count)]);
      setAttribute(tr, "class", one.isLoss && one.count > 0 ? "loss" : one.count === 0 ? "none" : null);
    },
  });
  setCells(books.querySelector("tfoot tr"), ["accepted", count(bridge.accepted)]);
}

function renderRules(details, rules) {
  setHidden(details, rules.length === 0);
  setText(details.querySelector("summary"), counted(rules.length, "rule"));
  setChildren(details.querySelector("tbody"), rules.map((rule, index) => ({...rule, index})), {
    key: (rule) => rule.index,
    make: () => row(3),
    update: (tr, rule) => setCells(tr, [rule.filter, rule.direction, count(rule.up), count(rule.down)]),
  });
}
