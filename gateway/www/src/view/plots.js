// Three plots of the last hour, a line for each bridge: rate, backlog, and how long it waits for an acknowledgement.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import {element, setAttribute, setChildren, setHidden, setText} from "../dom.js";
import {count, duration, rate, timeOfDay} from "../model/format.js";
import {aligned} from "../model/history.js";

const LINES_MAX = 8; // that can be told apart, by colour and dashes
const HEIGHT = 168;
const SPAN_MIN = 300; // seconds that a plot shows, however young its lines are
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]];

const PLOTS = [
  {name: "rate", title: "Messages up, a second", show: rate, step: 1},
  {name: "backlog", title: "Messages waiting", show: count, step: 1},
  {name: "silence", title: "Waiting for an acknowledgement", show: duration, step: 5},
];

const at = (id) => document.getElementById(id);
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (index) => style(`--line-${(index % 4) + 1}`);

export class Plots {
  #plots = [];
  #names = null; // of the bridges that are drawn
  #drawn = null; // the time of the newest point that is drawn

  constructor() {
    const again = () => {
      this.#names = null; // other colours
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    new ResizeObserver(() => this.#resize()).observe(at("plots"));
  }

  render(status) {
    const names = [...status.bridges.keys()].slice(0, LINES_MAX);
    const histories = names.map((name) => status.historyOf(name));
    setHidden(at("plots-section"), names.length === 0);
    if (names.length === 0) return;
    if (this.#names !== names.join("\n")) this.#make(names);
    const newest = Math.max(...histories.map((one) => one.points.at(-1)?.time ?? 0));
    if (newest === this.#drawn) return;
    this.#drawn = newest;
    for (const plot of this.#plots) plot.show(histories, newest);
  }

  #make(names) {
    for (const plot of this.#plots) plot.destroy();
    at("plots").replaceChildren();
    at("plots").classList.toggle("many", names.length > 1);
    this.#plots = PLOTS.map((one) => new Plot(one, names));
    this.#names = names.join("\n");
    this.#drawn = null;
    renderLegend(names);
  }

  #resize() {
    for (const plot of this.#plots) plot.resize();
  }
}

// Where there is one line, the cards have its name.
function renderLegend(names) {
  const legend = at("legend");
  setHidden(legend, names.length < 2);
  setChildren(legend, names, {
    key: (name) => name,
    make: (name) => element("li", {}, element("span", {class: "swatch", "aria-hidden": "true"}), name),
    update: (item, name) => {
      const index = names.indexOf(name);
      item.firstChild.style.borderTopColor = colour(index);
      item.firstChild.style.borderTopStyle = index < 4 ? "solid" : "dashed";
    },
  });
}

class Plot {
  #what;
  #uplot;
  #value;
  #chart;

  constructor(what, names) {
    this.#what = what;
    this.#value = element("span", {class: "now"});
    this.#chart = element("div", {class: "chart", role: "img"});
    at("plots").append(element("figure", {class: "panel plot"},
      element("figcaption", {}, element("span", {}, what.title), this.#value), this.#chart));
    this.#uplot = new uPlot(this.#options(names), [[], ...names.map(() => [])], this.#chart);
  }

  destroy() {
    this.#uplot.destroy();
  }

  resize() {
    const width = this.#chart.clientWidth;
    if (width > 0 && width !== this.#uplot.width) this.#uplot.setSize({width, height: HEIGHT});
  }

  show(histories, newest) {
    const data = aligned(histories, this.#what.name);
    this.#uplot.setData(data, false);
    this.#uplot.setScale("x", {min: Math.min(data[0][0], newest - SPAN_MIN), max: newest});
    this.#showValue();
    const largest = Math.max(...histories.map((one) => one.largest(this.#what.name)));
    setAttribute(this.#chart, "aria-label",
      `${this.#what.title}: now ${this.#value.textContent}, at most ${this.#what.show(largest)} in the last hour`);
  }

  // The values beneath the cursor; without one, the newest.
  #showValue() {
    const {data, cursor, series} = this.#uplot;
    const index = cursor.idx ?? data[0].length - 1;
    const value = (values) => {
      for (let i = index; i >= 0 && i > index - series.length * 3; --i) {
        if (values[i] !== undefined) return values[i];
      }
      return null;
    };
    const shown = data.slice(1).map((values) => this.#what.show(value(values))).join(" · ");
    setText(this.#value, cursor.idx === null || cursor.idx === undefined ? shown
      : `${timeOfDay(data[0][index] * 1000)}  ${shown}`);
  }

  #options(names) {
    const {show, step} = this.#what;
    const grid = {stroke: style("--grid"), width: 1};
    const axis = {stroke: style("--quiet"), grid, ticks: {show: false}, font: "11px system-ui, sans-serif"};
    return {
      width: this.#chart.clientWidth || 320,
      height: HEIGHT,
      padding: [8, 8, 0, 0],
      legend: {show: false},
      cursor: {y: false, sync: {key: "hour"}, points: {size: 6}, drag: {x: false, y: false}},
      // An axis that reaches at least one step, so that a quiet line lies at its foot.
      scales: {x: {time: true}, y: {range: (_, low, high) => [0, Math.max(step, (high ?? 0) * 1.1)]}},
      axes: [
        {...axis, size: 24, space: 64,
         values: (_, times) => times.map((time) => timeOfDay(time * 1000).slice(0, 5))},
        {...axis, size: 56, space: 36, values: (_, all) => all.map((one) => (Number.isInteger(one) ? axisText(show, one)
          : ""))},
      ],
      series: [{}, ...names.map((name, index) => ({
        label: name, stroke: colour(index), width: 1.5, dash: DASHES[Math.floor(index / 4) % DASHES.length],
        points: {show: false}, spanGaps: false, fill: names.length === 1 ? style("--line-fill") : undefined,
      }))],
      hooks: {setCursor: [() => this.#showValue()]},
    };
  }
}

function axisText(show, value) {
  if (show === duration) return value === 0 ? "0" : duration(value);
  return value >= 10000 ? `${count(value / 1000)}k` : count(value);
}
