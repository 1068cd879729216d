// Numbers, sizes and times as a person reads them.

const LANGUAGE = "en"; // that of the page, so that a comma is always the same thing

const whole = new Intl.NumberFormat(LANGUAGE, {maximumFractionDigits: 0});
const oneDecimal = new Intl.NumberFormat(LANGUAGE, {minimumFractionDigits: 1, maximumFractionDigits: 1});
const clock = new Intl.DateTimeFormat(LANGUAGE,
  {hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"});
const day = new Intl.DateTimeFormat(LANGUAGE, {year: "numeric", month: "short", day: "numeric"});

export const NOTHING = "–"; // where a value is not known

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export function count(value) {
  return isNumber(value) ? whole.format(value) : NOTHING;
}

// `3 messages`, `1 message`. The plural of a word that has another than -s is given.
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

// Events a second: the decimal disappears where it would only flicker.
export function rate(perSecond) {
  if (!isNumber(perSecond)) return NOTHING;
  return `${perSecond < 99.95 ? oneDecimal.format(perSecond) : whole.format(perSecond)}/s`;
}

export function bytes(value) {
  if (!isNumber(value)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  // Rounding is part of the comparison: 1,023.96 KiB would be printed as 1,024.0 KiB.
  while (unit < units.length - 1 && size >= (unit === 0 ? 1024 : 1023.95)) {
    size /= 1024;
    ++unit;
  }
  return `${unit === 0 ? whole.format(size) : oneDecimal.format(size)} ${units[unit]}`;
}

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

// The two largest units: `3 d 4 h`, `2 min 5 s`, `12 s`. Less than a second is `under 1 s`.
export function duration(seconds) {
  if (!isNumber(seconds)) return NOTHING;
  const rounded = Math.round(seconds);
  if (rounded < 1) return seconds > 0 ? "under 1 s" : "0 s";
  const first = UNITS.findIndex(([, size]) => rounded >= size);
  const [unit, size] = UNITS[first];
  const parts = [`${Math.floor(rounded / size)} ${unit}`];
  if (first + 1 < UNITS.length) {
    const [nextUnit, nextSize] = UNITS[first + 1];
    const rest = Math.floor((rounded % size) / nextSize);
    if (rest > 0) parts.push(`${rest} ${nextUnit}`);
  }
  return parts.join(" ");
}

export function timeOfDay(milliseconds) {
  return isNumber(milliseconds) ? clock.format(milliseconds) : NOTHING;
}

export function date(milliseconds) {
  return isNumber(milliseconds) ? day.format(milliseconds) : NOTHING;
}

// `queue_full` of a document as words: `queue full`.
export function words(name) {
  return String(name).replaceAll("_", " ").replace("qos0", "QoS 0");
}
