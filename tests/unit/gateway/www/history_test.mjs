import assert from "node:assert/strict";
import test from "node:test";
import {History, aligned} from "../../../../gateway/www/src/model/history.js";

test("an hour is kept, and no more points than that needs", () => {
  const history = new History();
  for (let time = 0; time <= 10000; ++time) history.add({time, rate: 1});
  assert.equal(history.points[0].time, 10000 - 3600);
  const dense = new History();
  for (let i = 0; i <= 10000; ++i) dense.add({time: i / 100, rate: 1});
  assert.equal(dense.points.length, 7200);
});

test("a point that is known, or has no time, is not added", () => {
  const history = new History();
  for (const time of [1, 1, NaN, 0.5, 2]) history.add({time, rate: 1});
  assert.deepEqual(history.points.map((one) => one.time), [1, 2]);
});

test("the largest value passes over what is not known", () => {
  const history = new History();
  [null, 4, 2].forEach((rate, time) => history.add({time, rate}));
  assert.equal(history.largest("rate"), 4);
});

test("histories with moments of their own share one axis", () => {
  const [one, other] = [new History(), new History()];
  one.add({time: 1, rate: 10});
  one.add({time: 3, rate: 30});
  other.add({time: 2, rate: null});
  assert.deepEqual(aligned([one, other], "rate"), [[1, 2, 3], [10, undefined, 30], [undefined, null, undefined]]);
});
