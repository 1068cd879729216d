import assert from "node:assert/strict";
import test from "node:test";
import {Status} from "../../../../gateway/www/src/model/status.js";
import {certificateLevel, concerns, verdict} from "../../../../gateway/www/src/model/verdict.js";
import {backlog, bridge, gateway} from "./documents.mjs";

function statusOf(gatewayDocument, ...bridges) {
  const status = new Status();
  status.take("$SYS/furrow/gateway", JSON.stringify(gatewayDocument), 0);
  for (const one of bridges) status.take(`$SYS/furrow/bridge/${one.name}`, JSON.stringify(one), 0);
  return status;
}

const said = (...documents) => verdict(statusOf(...documents)).text;

test("all is well when every bridge is online, or none is configured", () => {
  assert.deepEqual(verdict(statusOf(gateway(), bridge())), {level: "ok", text: "All well"});
  assert.equal(said(gateway()), "All well; no bridge is configured");
});

test("without a document nothing is claimed", () => {
  assert.equal(verdict(new Status()).level, "off");
});

test("a region that is away is counted with what waits for it", () => {
  const away = bridge({state: "backoff", backlog: backlog(1204)});
  assert.deepEqual(verdict(statusOf(gateway(), away)),
                   {level: "bad", text: "1 region is away; 1,204 messages wait, safe on disk"});
  assert.equal(said(gateway(), away, bridge({name: "west", state: "backoff"})),
               "2 regions are away; 1,204 messages wait, safe on disk");
});

test("what is on its way to the disk is still with its sender, where acknowledgements are durable", () => {
  const away = (disk) => bridge({state: "backoff", backlog: backlog(1000, disk)});
  assert.equal(said(gateway(), away(960)), "1 region is away; 1,000 messages wait, safe on disk");
  assert.equal(said(gateway(), away(100)), "1 region is away; 1,000 messages wait, 100 of them on disk");
  assert.equal(said(gateway({acknowledge: "received"}), away(960)),
               "1 region is away; 1,000 messages wait, 960 of them on disk");
});

test("a first connection is no trouble yet, and one that is made again is", () => {
  assert.equal(verdict(statusOf(gateway(), bridge({state: "connecting", connects: 0}))).level, "warn");
  assert.equal(verdict(statusOf(gateway(), bridge({state: "connecting", connects: 2}))).level, "bad");
});

test("a region that acknowledges nothing is told apart from one that is away", () => {
  const stalled = bridge({state: "stalled", inflight: 2, backlog: backlog(0, 2)});
  assert.equal(said(gateway(), stalled, bridge({name: "west", state: "backoff"})),
               "1 region is away, 1 region acknowledges nothing; 2 messages wait, safe on disk");
});

test("a drain says when it will be through, as far as every bridge knows", () => {
  const draining = bridge({state: "draining", backlog: backlog(300), drain_eta_s: 12.3});
  assert.equal(said(gateway(), draining), "All connected; 300 messages wait and drain, through in about 12 s");
  assert.equal(said(gateway(), draining, bridge({name: "west", state: "draining", backlog: backlog(5)})),
               "All connected; 305 messages wait and drain");
});

test("a store that does not store comes before everything else", () => {
  const full = gateway({store: {state: "full", reason: "no space left", since_at: "2030-01-01T00:00:00Z"}});
  assert.equal(said(full, bridge({state: "backoff"})), "The store is full; nothing waits");
  assert.equal(concerns(statusOf(full))[0].what, "is full: no space left");
});

test("bridges that rest on purpose are no trouble", () => {
  assert.equal(said(gateway(), bridge({state: "disabled"}), bridge({name: "west", state: "waiting"})), "All well");
});

test("concerns come from the documents, the worst first", () => {
  const status = statusOf(
    gateway({
      listeners: [{name: "lan", address: "10.0.0.1:1883", state: "waiting", reason: "no such address"}],
      certificates: [{name: "listener lan", file: "lan.crt", days: 12},
                     {name: "bridge region", file: "b.crt", days: -1},
                     {name: "bridge west", file: "w.crt", days: 200}],
      limits_reached: {connections: 1, publish: 1200, packet: 0},
    }),
    bridge({state: "backoff", reason: "connection refused", quarantined: 2}));
  assert.deepEqual(concerns(status).map((one) => [one.severity, one.id]), [
    ["error", "bridge/region"], ["error", "certificate/b.crt"], ["warning", "quarantine/region"],
    ["warning", "listener/lan"], ["warning", "certificate/lan.crt"], ["info", "limit/connections"],
    ["info", "limit/publish"],
  ]);
  const texts = concerns(status).map((one) => one.what);
  assert.ok(texts.includes("is away: connection refused"));
  assert.ok(texts.includes("has a certificate that expired 1 day ago"));
  assert.ok(texts.includes("reached once since the start"));
  assert.ok(texts.includes("slowed somebody down 1,200 times since the start"));
});

test("alarms of the gateway replace what the page would conclude", () => {
  const full = {state: "full", reason: "no space left", since_at: null};
  const status = statusOf(gateway({store: full}), bridge());
  status.take("$SYS/furrow/alarms", JSON.stringify({alarms: [
    {id: "a", severity: "warning", what: "the buffer is 80 % full", about: "bridge region", do: "look", since_at: null},
    {id: "b", severity: "error", what: "the clock is wrong", about: "clock", do: "", since_at: null}]}), 0);
  assert.deepEqual(concerns(status).map((one) => [one.id, one.todo]), [["b", ""], ["a", "Look."]]);
  status.take("$SYS/furrow/alarms", JSON.stringify({alarms: []}), 0);
  assert.deepEqual(concerns(status), []);
  status.take("$SYS/furrow/alarms", "", 0);
  assert.deepEqual(concerns(status).map((one) => one.id), ["store"]);
});

test("limits that were reached do not spoil a good verdict, and other concerns do", () => {
  assert.equal(said(gateway({limits_reached: {connections: 5}}), bridge()), "All well");
  assert.equal(said(gateway({certificates: [{name: "listener lan", file: "lan.crt", days: 20}]}), bridge()),
               "1 thing needs attention; nothing waits");
});

test("a certificate is a warning a month before its end, and worse on its last day", () => {
  assert.deepEqual([31, 30, 2, 1, -5].map(certificateLevel), ["ok", "warn", "warn", "bad", "bad"]);
});

test("a region that is away for a moment is told before it is an alarm, and once", () => {
  const status = statusOf(gateway(), bridge({state: "backoff", reason: "refused"}),
                          bridge({name: "west", state: "stalled"}));
  status.take("$SYS/furrow/alarms", JSON.stringify({alarms: [
    {id: "bridge_stalled/west", severity: "error", about: "bridge west", what: "acknowledges nothing", do: ""}]}), 0);
  assert.deepEqual(concerns(status).map((one) => `${one.about} ${one.what}`),
                   ["bridge west acknowledges nothing", "bridge region is away: refused"]);
});
