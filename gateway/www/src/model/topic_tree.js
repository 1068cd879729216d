// The topics that went by, as a tree with the last value of each; bounded, whatever the field sends.

export const TOPICS_MAX = 2000;
export const VALUE_BYTES_MAX = 4096;
const LEVELS_MAX = 64; // of the tree; deeper topics are kept with the rest as one level

export class TopicTree {
  root = makeNode("", null);
  topics = 0;
  refused = 0; // messages on topics for which there was no room

  // `payload` is a Uint8Array, of which a copy of the beginning is kept.
  add(topic, payload, {qos, retain}, now) {
    const node = this.#find(topic) ?? this.#make(topic);
    if (node === null) {
      ++this.refused;
      return;
    }
    const value = payload.slice(0, VALUE_BYTES_MAX);
    node.message = {topic, value, bytes: payload.length, qos, retain, at: now,
                    count: (node.message?.count ?? 0) + 1};
  }

  clear() {
    this.root = makeNode("", null);
    this.topics = 0;
    this.refused = 0;
  }

  #find(topic) {
    let node = this.root;
    for (const level of levelsOf(topic)) {
      node = node.children.get(level);
      if (node === undefined) return null;
    }
    return node.message === null ? null : node;
  }

  #make(topic) {
    if (this.topics >= TOPICS_MAX) return null;
    let node = this.root;
    for (const level of levelsOf(topic)) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = makeNode(level, node);
        node.children.set(level, child);
      }
      ++child.topics;
      node = child;
    }
    ++this.topics;
    return node;
  }
}

function makeNode(level, parent) {
  return {level, parent, children: new Map(), message: null, topics: 0};
}

function levelsOf(topic) {
  const levels = topic.split("/");
  if (levels.length <= LEVELS_MAX) return levels;
  return [...levels.slice(0, LEVELS_MAX - 1), levels.slice(LEVELS_MAX - 1).join("/")];
}

// The value as text: JSON with its lines if `isFull`, else one line; bytes that are no text as hexadecimal digits.
export function valueText(message, isFull) {
  const {value, bytes} = message;
  const cut = bytes > value.length;
  const text = asText(value, cut);
  const more = cut ? ` … ${bytes - value.length} bytes more` : "";
  if (text === null && isFull) return hexLines(value) + more;
  if (text === null) return `0x${hex(value.subarray(0, 32))}${bytes > 32 ? "…" : ""}`;
  if (!isFull) return text.replace(/\s+/g, " ").slice(0, 200);
  return (cut ? text : indented(text)) + more;
}

export function isBinary(message) {
  return asText(message.value, message.bytes > message.value.length) === null;
}

// Null where the bytes are not the UTF-8 of something readable. A character may be cut in two at the end.
function asText(value, cut) {
  try {
    const text = new TextDecoder("utf-8", {fatal: true}).decode(value, {stream: cut});
    return /[\u0000-\u0008\u000e-\u001f\u007f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

function indented(text) {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function hex(value, between = "") {
  return [...value].map((byte) => byte.toString(16).padStart(2, "0")).join(between);
}

function hexLines(value) {
  const lines = [];
  for (let at = 0; at < value.length; at += 16) {
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex(value.subarray(at, at + 16), " ")}`);
  }
  return lines.join("\n");
}
