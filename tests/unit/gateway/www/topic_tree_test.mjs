import assert from "node:assert/strict";
import test from "node:test";
import {TOPICS_MAX, TopicTree, VALUE_BYTES_MAX, isBinary, valueText}
  from "../../../../gateway/www/src/model/topic_tree.js";

const PACKET = {qos: 1, retain: false};
const bytes = (text) => new TextEncoder().encode(text);
const messageOf = (payload) => {
  const tree = new TopicTree();
  tree.add("a", payload, PACKET, 0);
  return tree.root.children.get("a").message;
};

test("a topic has its last value and its number of messages", () => {
  const tree = new TopicTree();
  tree.add("farm/1", bytes("old"), PACKET, 1);
  tree.add("farm/1", bytes("new"), {qos: 0, retain: true}, 2);
  const {message} = tree.root.children.get("farm").children.get("1");
  assert.equal(valueText(message, true), "new");
  assert.deepEqual([message.count, message.qos, message.retain, message.at], [2, 0, true, 2]);
  assert.equal(tree.topics, 1);
});

test("a topic above another one is a topic of its own", () => {
  const tree = new TopicTree();
  tree.add("farm/1", bytes("x"), PACKET, 0);
  tree.add("farm", bytes("y"), PACKET, 0);
  assert.equal(tree.topics, 2);
  assert.equal(tree.root.children.get("farm").topics, 2);
});

test("topics beyond the limit are counted, and known ones go on", () => {
  const tree = new TopicTree();
  for (let i = 0; i < TOPICS_MAX + 5; ++i) tree.add(`t/${i}`, bytes("x"), PACKET, 0);
  assert.equal(tree.topics, TOPICS_MAX);
  assert.equal(tree.refused, 5);
  assert.equal(tree.root.children.get("t").children.size, TOPICS_MAX);
  tree.add("t/0", bytes("y"), PACKET, 0);
  assert.equal(tree.root.children.get("t").children.get("0").message.count, 2);
  assert.equal(tree.refused, 5);
});

test("of a large value the beginning is kept, in memory of its own", () => {
  const payload = new Uint8Array(VALUE_BYTES_MAX + 100).fill(97);
  const message = messageOf(payload);
  assert.equal(message.value.length, VALUE_BYTES_MAX);
  assert.equal(message.value.buffer.byteLength, VALUE_BYTES_MAX);
  assert.ok(valueText(message, true).endsWith(" … 100 bytes more"));
});

test("deep topics make no deep tree", () => {
  const tree = new TopicTree();
  tree.add(Array(500).fill("x").join("/"), bytes("v"), PACKET, 0);
  let depth = 0;
  for (let node = tree.root; node.children.size > 0; node = [...node.children.values()][0]) ++depth;
  assert.equal(depth, 64);
});

test("bytes that are no text are digits", () => {
  const message = messageOf(new Uint8Array([0, 255, 16]));
  assert.ok(isBinary(message));
  assert.equal(valueText(message, false), "0x00ff10");
  assert.equal(valueText(message, true), "0000  00 ff 10");
  assert.ok(isBinary(messageOf(new Uint8Array([65, 7, 66]))));
  assert.ok(!isBinary(messageOf(bytes("größer\n\tals"))));
});

test("a character that is cut in two does not make text binary", () => {
  const message = messageOf(bytes("a".repeat(VALUE_BYTES_MAX - 1) + "ü"));
  assert.ok(!isBinary(message));
});

test("JSON is shown with its lines, and in one line in the tree", () => {
  const message = messageOf(bytes('{"a":1,\n"b":2}'));
  assert.equal(valueText(message, true), '{\n  "a": 1,\n  "b": 2\n}');
  assert.equal(valueText(message, false), '{"a":1, "b":2}');
  assert.equal(valueText(messageOf(bytes("{broken")), true), "{broken");
});

test("after clear() nothing is left", () => {
  const tree = new TopicTree();
  tree.add("a/b", bytes("x"), PACKET, 0);
  tree.clear();
  assert.deepEqual([tree.topics, tree.refused, tree.root.children.size], [0, 0, 0]);
});
