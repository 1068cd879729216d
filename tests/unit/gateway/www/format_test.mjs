import assert from "node:assert/strict";
import test from "node:test";
import {NOTHING, bytes, count, counted, duration, rate, words} from "../../../../gateway/www/src/model/format.js";

test("numbers have commas, and what is unknown is a dash", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.equal(count(0), "0");
  for (const unknown of [null, undefined, NaN, "12"]) assert.equal(count(unknown), NOTHING);
});

test("one message waits, two messages wait", () => {
  assert.equal(counted(1, "message waits", "messages wait"), "1 message waits");
  assert.equal(counted(0, "message"), "0 messages");
  assert.equal(counted(1204, "message"), "1,204 messages");
});

test("a rate has a decimal only where it can be read", () => {
  assert.equal(rate(0), "0.0/s");
  assert.equal(rate(99.94), "99.9/s");
  assert.equal(rate(99.96), "100/s");
  assert.equal(rate(12345.6), "12,346/s");
  assert.equal(rate(null), NOTHING);
});

test("bytes change their unit where the rounded number would have four digits before the point", () => {
  assert.equal(bytes(1023), "1,023 B");
  assert.equal(bytes(1024), "1.0 KiB");
  assert.equal(bytes(1024 * 1024 - 1), "1.0 MiB");
  assert.equal(bytes(5 * 1024 ** 4), "5.0 TiB");
  assert.equal(bytes(5000 * 1024 ** 4), "5,000.0 TiB");
});

test("a duration has its two largest units", () => {
  assert.equal(duration(0), "0 s");
  assert.equal(duration(0.2), "under 1 s");
  assert.equal(duration(59.6), "1 min");
  assert.equal(duration(125), "2 min 5 s");
  assert.equal(duration(3600 + 59), "1 h");
  assert.equal(duration(3 * 86400 + 4 * 3600), "3 d 4 h");
  assert.equal(duration(null), NOTHING);
});

test("names of the documents become words", () => {
  assert.equal(words("queue_full"), "queue full");
  assert.equal(words("refused_qos0"), "refused QoS 0");
});
