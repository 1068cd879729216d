// The topic explorer: what goes by, as a tree with the last value of each topic. It listens only when it is told to.

import {element, setAttribute, setChildren, setHidden, setText} from "../dom.js";
import {bytes, count, counted, timeOfDay} from "../model/format.js";
import {TOPICS_MAX, TopicTree, isBinary, valueText} from "../model/topic_tree.js";

const at = (id) => document.getElementById(id);
const DRAW_EVERY = 250; // milliseconds: what changes faster cannot be read
const OPEN_DEPTH = 4; // levels that are open until somebody closes them
const OPEN_CHILDREN = 30; // and how many children make a level too long for that
const PAUSED = "Paused. “Listen” subscribes the filter and shows the last value of each topic.";
const collator = new Intl.Collator("en", {numeric: true});

export class Explorer {
  #link;
  #tree = new TopicTree();
  #chosen = null; // the node whose value is shown whole
  #toggled = new Map(); // node → whether somebody has opened or closed it
  #timer = null;

  constructor(link) {
    this.#link = link;
    at("explorer-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#link.explored === null) this.#play();
      else this.#pause("");
    });
    at("explorer-filter").addEventListener("input", () => this.#link.explored !== null && this.#pause(""));
    at("explorer-clear").addEventListener("click", () => this.#clear());
    at("tree").addEventListener("click", (event) => this.#click(event.target.closest("button")));
    this.#showPlaying();
  }

  take(topic, payload, packet) {
    this.#tree.add(topic, payload, packet, Date.now());
    this.#timer ??= setTimeout(() => this.#draw(), DRAW_EVERY);
  }

  #play() {
    const filter = at("explorer-filter").value.trim() || "#";
    this.#link.explore(filter, () => this.#pause("This user may not read that, or it is no filter."));
    this.#showPlaying();
    this.#draw();
  }

  #pause(why) {
    this.#link.stopExploring();
    this.#showPlaying(why);
    this.#draw();
  }

  #clear() {
    this.#tree.clear();
    this.#toggled.clear();
    this.#chosen = null;
    this.#draw();
  }

  #showPlaying(why = "") {
    const plays = this.#link.explored !== null;
    setText(at("explorer-play"), plays ? "Pause" : "Listen");
    setAttribute(at("explorer-play"), "aria-pressed", plays);
    setText(at("explorer-note"), why || (plays ? "listening" : "paused"));
  }

  #click(button) {
    if (button === null) return;
    const node = button.node;
    if (button.classList.contains("toggle")) this.#toggled.set(node, !this.#isOpen(node));
    else this.#chosen = this.#chosen === node ? null : node;
    this.#draw();
  }

  #isOpen(node) {
    return this.#toggled.get(node) ?? (depth(node) < OPEN_DEPTH && node.children.size <= OPEN_CHILDREN);
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const {topics, refused} = this.#tree;
    const others = `, ${counted(refused, "message")} on others: there is room for ${count(TOPICS_MAX)}`;
    setText(at("explorer-count"), topics === 0 ? "" : counted(topics, "topic") + (refused > 0 ? others : ""));
    if (topics > 0) this.#drawTree();
    else if (at("tree").querySelector("ul") !== null || this.#link.explored !== null) this.#drawEmpty();
    this.#drawValue();
  }

  #drawEmpty() {
    const text = this.#link.explored === null ? PAUSED : "Listening. Nothing has come yet.";
    at("tree").replaceChildren(element("p", {class: "empty"}, text));
  }

  #drawTree() {
    let list = at("tree").querySelector(":scope > ul");
    if (list === null) {
      list = element("ul");
      at("tree").replaceChildren(list);
    }
    this.#drawLevel(list, this.#tree.root);
  }

  #drawLevel(list, node) {
    const children = [...node.children.values()].sort((a, b) => collator.compare(a.level, b.level));
    setChildren(list, children, {
      key: (child) => child.level,
      make: makeItem,
      update: (item, child) => this.#drawItem(item, child),
    });
  }

  // A level with nothing but one other level beneath shares its line.
  #drawItem(item, first) {
    let node = first;
    let label = nameOf(first);
    while (node.message === null && node.children.size === 1) {
      [node] = node.children.values();
      label += `/${nameOf(node)}`;
    }
    const [toggle, name, pick, time] = item.firstChild.children;
    toggle.node = pick.node = node; // a topic that was cleared and came again has another node
    const isBranch = node.children.size > 0;
    const isOpen = isBranch && this.#isOpen(node);
    setHidden(toggle, !isBranch);
    setHidden(name, isBranch);
    setText(toggle.lastChild, label);
    setText(name, label);
    setAttribute(toggle, "aria-expanded", isOpen);
    setHidden(pick, node.message === null);
    if (node.message !== null) {
      const text = valueText(node.message, false) || "(no bytes)";
      setText(pick, text);
      setAttribute(pick, "aria-label", `${node.message.topic}: ${text}`);
      setAttribute(pick, "aria-pressed", this.#chosen === node);
      setText(time, timeOfDay(node.message.at));
    } else {
      setText(time, isOpen ? "" : counted(node.topics, "topic"));
    }
    this.#drawChildren(item, node, isOpen);
  }

  #drawChildren(item, node, isOpen) {
    const list = item.querySelector(":scope > ul");
    if (isOpen) this.#drawLevel(list ?? item.appendChild(element("ul")), node);
    else list?.remove();
  }

  #drawValue() {
    const panel = at("value");
    const message = this.#chosen?.message ?? null;
    setHidden(panel, message === null);
    if (message === null) return;
    if (panel.childElementCount === 0) {
      panel.append(element("h3"), element("p", {class: "quiet"}), element("pre", {tabindex: 0}));
    }
    const [topic, facts, value] = panel.children;
    setText(topic, message.topic);
    setText(facts, [`QoS ${message.qos}`, message.retain ? "retained" : null, bytes(message.bytes),
                    isBinary(message) ? "binary" : null, timeOfDay(message.at),
                    `${counted(message.count, "message")} seen`].filter(Boolean).join(" · "));
    setText(value, valueText(message, true));
  }
}

function nameOf(node) {
  return node.level === "" ? "(empty)" : node.level;
}

function depth(node) {
  let levels = 0;
  for (let one = node.parent; one !== null; one = one.parent) ++levels;
  return levels;
}

function makeItem() {
  return element("li", {}, element("div", {class: "topic"},
    element("button", {type: "button", class: "toggle"}, element("span", {class: "arrow", "aria-hidden": "true"}),
      element("span")),
    element("span", {class: "leaf"}), element("button", {type: "button", class: "pick"}), element("time")));
}
