import assert from "node:assert/strict";
import test from "node:test";
import {Status} from "../../../../gateway/www/src/model/status.js";
import {bridge, gateway} from "./documents.mjs";

const at = (seconds) => new Date(Date.UTC(2030, 0, 1, 0, 0, seconds)).toISOString();
const counted = (seconds, received) => JSON.stringify(gateway({time: at(seconds), messages: {received, sent: 0}}));
const takeBridge = (status, changes) =>
  status.take("$SYS/furrow/bridge/region", JSON.stringify(bridge(changes)), Date.parse(changes.time ?? at(0)));

test("a rate is what was counted between two documents", () => {
  const status = new Status();
  status.take("$SYS/furrow/gateway", counted(0, 100), 0);
  assert.equal(status.fieldRates.received, null);
  status.take("$SYS/furrow/gateway", counted(4, 140), 4000);
  assert.equal(status.fieldRates.received, 10);
});

test("a gateway that was started anew has no rate yet", () => {
  const status = new Status();
  status.take("$SYS/furrow/gateway", counted(0, 100), 0);
  status.take("$SYS/furrow/gateway", counted(4, 3), 4000);
  assert.equal(status.fieldRates.received, null);
});

test("the same document once more changes no rate", () => {
  const status = new Status();
  status.take("$SYS/furrow/gateway", counted(0, 0), 0);
  status.take("$SYS/furrow/gateway", counted(2, 20), 2000);
  status.take("$SYS/furrow/gateway", counted(2, 20), 2100);
  assert.equal(status.fieldRates.received, 10);
});

test("what is no document is passed over", () => {
  const status = new Status();
  for (const text of ["{", "[]", "null", "12"]) assert.equal(status.take("$SYS/furrow/gateway", text, 0), false);
  assert.equal(status.take("$SYS/furrow/unheard-of", "{}", 0), false);
  assert.equal(status.take("farm/x", "{}", 0), false);
  assert.equal(status.gateway, null);
  assert.equal(status.heardAt, null);
});

test("bridges are in the order of their names, and go with an empty document", () => {
  const status = new Status();
  for (const name of ["west", "east"]) status.take(`$SYS/furrow/bridge/${name}`, JSON.stringify(bridge({name})), 0);
  assert.deepEqual([...status.bridges.keys()], ["east", "west"]);
  status.take("$SYS/furrow/bridge/west", "", 0);
  assert.deepEqual([...status.bridges.keys()], ["east"]);
});

test("ages are told by the gateway's clock, wherever this browser's stands", () => {
  const status = new Status();
  const here = Date.parse("2001-01-01T00:00:00Z");
  status.take("$SYS/furrow/gateway", counted(10, 0), here);
  assert.equal(status.secondsSince(at(4), here + 2000), 8);
  assert.equal(status.secondsSince(at(50), here), 0);
  assert.equal(status.secondsSince(null, here), null);
});

test("a bridge waits for acknowledgements only while it has something to send", () => {
  const status = new Status();
  takeBridge(status, {time: at(1), last_ack_s: 40});
  takeBridge(status, {time: at(2), last_ack_s: 41, inflight: 1});
  takeBridge(status, {time: at(3), last_ack_s: 42, backlog: {messages: 1}});
  assert.deepEqual(status.historyOf("region").points.map((one) => one.silence), [0, 41, 42]);
});

test("what the gateway remembers comes before what this page has seen", () => {
  const status = new Status();
  takeBridge(status, {time: at(30), backlog: {messages: 3}});
  status.take("$SYS/furrow/history", JSON.stringify({schema: 1, interval_s: 10, bridges: {
    region: [{time: at(20), backlog: 2}, {time: at(10), backlog: 1}, {time: at(40), backlog: 9}]}}), 0);
  assert.deepEqual(status.historyOf("region").points.map((one) => one.backlog), [1, 2, 3]);
});
