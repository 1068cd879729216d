import assert from "node:assert/strict";
import test from "node:test";
import {missing, places} from "../../../../gateway/www/src/model/books.js";
import {backlog, bridge} from "./documents.mjs";

const everywhere = {accepted: 28, delivered: 1, backlog: backlog(2), inflight: 3, quarantined: 4, expired: 5,
                    dropped: {queue_full: 6, age: 7, loop: 0}};

test("books balance when each message is in one place", () => {
  assert.equal(missing(bridge(everywhere)), 0);
});

test("a message in no place is missing, and one in two places is one too many", () => {
  assert.equal(missing(bridge({...everywhere, accepted: 29})), 1);
  assert.equal(missing(bridge({...everywhere, delivered: 2})), -1);
});

test("reasons of drops are shown where there were any, in words", () => {
  const shown = places(bridge(everywhere)).map((one) => one.place);
  assert.ok(shown.includes("dropped: queue full"));
  assert.ok(!shown.includes("dropped: loop"));
});

test("only what will not arrive counts as a loss", () => {
  const losses = places(bridge(everywhere)).filter((one) => one.isLoss).map((one) => one.place);
  assert.deepEqual(losses, ["in quarantine", "expired", "dropped: queue full", "dropped: age"]);
});
