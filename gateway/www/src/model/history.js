// The last hour of one bridge, as points in the order of time, bounded in number.
//
// A point has `time` in seconds and the values of that moment, null where one is not known.

const SECONDS_KEPT = 3600;
const POINTS_MAX = 2 * SECONDS_KEPT; // a bridge whose state changes says more than a document a second

export class History {
  points = [];

  // A point that is not newer than the last one is one that is known.
  add(point) {
    const last = this.points.at(-1);
    if (!Number.isFinite(point.time) || (last !== undefined && point.time <= last.time)) return;
    this.points.push(point);
    this.#forget();
  }

  // Points from before the first one that is known.
  addEarlier(points) {
    const first = this.points[0]?.time ?? Infinity;
    const earlier = points.filter((one) => Number.isFinite(one.time) && one.time < first);
    earlier.sort((a, b) => a.time - b.time);
    this.points = [...earlier, ...this.points];
    this.#forget();
  }

  #forget() {
    if (this.points.length === 0) return;
    const oldest = this.points.at(-1).time - SECONDS_KEPT;
    const old = this.points.findIndex((one) => one.time >= oldest);
    const surplus = Math.max(old, this.points.length - POINTS_MAX);
    if (surplus > 0) this.points.splice(0, surplus);
  }

  largest(name) {
    return this.points.reduce((largest, one) => Math.max(largest, one[name] ?? 0), 0);
  }
}

// The values `name` of several histories over one axis of time: [times, values of the first, of the second, …].
// A history has points at moments of its own; at others its value is undefined, which a line passes over.
export function aligned(histories, name) {
  const times = [...new Set(histories.flatMap((one) => one.points.map((point) => point.time)))].sort((a, b) => a - b);
  const place = new Map(times.map((time, index) => [time, index]));
  const rows = histories.map((one) => {
    const row = new Array(times.length).fill(undefined);
    for (const point of one.points) row[place.get(point.time)] = point[name];
    return row;
  });
  return [times, ...rows];
}
