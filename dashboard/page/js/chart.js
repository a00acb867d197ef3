// Several measurements of one link on one time axis: one cursor, one zoom, each panel with its own unit.

import { css, h, put } from "./dom.js";
import { clock, day, digitsFor } from "./time.js";
import { count, duration, rate, share, three } from "./format.js";
import { hatch } from "./heat.js";
import { lang, t } from "./i18n.js";
import { zoomReset, zoomTo } from "./state.js";

const S = 1000000000n;
const GUTTER = 62;
// Seconds between marks on the time axis: what people count in.
const INCREMENTS = [1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

let library = null;
// The library is a third of the page: it comes with the first chart.
function load() {
  library ||= new Promise((resolve, reject) => {
    document.head.append(
      h("link", { rel: "stylesheet", href: "/assets/vendor/uPlot.min.css" }),
      h("script", { src: "/assets/vendor/uPlot.iife.min.js", onload: () => resolve(globalThis.uPlot), onerror: () => reject(new Error("uPlot")) }));
  });
  return library;
}

export const FORMATS = {
  bps: { value: rate, axis: rate },
  share: { value: share, axis: share },
  count: { value: count, axis: (n) => (n >= 10000 ? `${three(n / 1000)}k` : three(n)) },
  ns: { value: duration, axis: duration },
};

// panels: { key, title, format, log, height, series: [{ label, colour, values, dash, fill, width }], missing, threshold, note }
// shade: [{ from, to (BigInt ns), severity }]
export class Charts {
  constructor() {
    this.element = h("div", { class: "charts", tabindex: "0", role: "group", "data-key": "charts" });
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.plots = [];
    this.signature = "";
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  async show(series, panels, { shade = [], states = "", label }) {
    const Plot = await load();
    this.element.setAttribute("aria-label", label);
    this.take(series, panels, shade, states);
    const signature = JSON.stringify([panels.map((panel) => [panel.key, Boolean(panel.missing), panel.title, panel.threshold]), lang(), document.documentElement.dataset.theme]);
    if (signature !== this.signature || !this.plots.length) this.build(Plot, panels);
    else this.update(panels);
    this.signature = signature;
    this.read(this.step);
  }

  take(series, panels, shade, states) {
    this.start = BigInt(series.start_ns);
    this.base = this.start - (this.start % (86400n * S));
    this.stepNs = series.step_ns;
    this.states = states;
    this.shade = shade;
    this.panels = panels;
    this.length = series.bps.length;
    const first = Number(this.start - this.base) / 1e9;
    // One more mark, so that the last step has its width.
    this.x = Array.from({ length: this.length + 1 }, (_, i) => first + (i * this.stepNs) / 1e9);
    this.step = Math.min(this.step ?? -1, this.length - 1);
  }

  data(panel) {
    return [this.x, ...panel.series.map(({ values }) => {
      const shown = panel.log ? values.map((value) => (value > 0 ? value : null)) : values;
      return [...shown, shown.length ? shown[shown.length - 1] : null];
    })];
  }

  build(Plot, panels) {
    this.plots.forEach(({ plot }) => plot && plot.destroy());
    const drawn = panels.filter((panel) => !panel.missing);
    this.plots = panels.map((panel) => {
      const readout = h("span", { class: "readout" });
      const place = h("div", { class: "plot" });
      const head = h("div", { class: "head" }, h("h3", null, panel.title), readout, panel.note ? h("span", { class: "dimmer small" }, panel.note) : null);
      const element = h("div", { class: "chart", "data-chart": panel.key }, head, place);
      if (panel.missing) put(place, h("p", { class: "empty" }, panel.missing));
      return { panel, element, readout, place, plot: null };
    });
    put(this.element, h("div", { class: "moment", "aria-live": "polite" }), this.plots.map(({ element }) => element));
    for (const one of this.plots) {
      if (one.panel.missing) continue;
      one.plot = new Plot(this.options(one.panel, one.panel === drawn[drawn.length - 1]), this.data(one.panel), one.place);
    }
  }

  update(panels) {
    this.plots.forEach((one, i) => {
      one.panel = panels[i];
      if (one.plot) one.plot.setData(this.data(panels[i]));
    });
  }

  width() { return Math.max(200, this.element.clientWidth); }

  resize() {
    for (const { plot, panel } of this.plots) if (plot && plot.width !== this.width()) plot.setSize({ width: this.width(), height: panel.height + (plot.isLast ? 22 : 0) });
  }

  options(panel, isLast) {
    const format = FORMATS[panel.format];
    const text = { stroke: css("--text2"), font: `11px ${getComputedStyle(document.body).fontFamily}`, grid: { stroke: css("--line"), width: 1 }, ticks: { show: false } };
    return {
      width: this.width(),
      height: panel.height + (isLast ? 22 : 0),
      padding: [6, 30, isLast ? 0 : 4, 0],
      legend: { show: false },
      cursor: {
        sync: { key: "fabricscope" }, y: false, points: { show: false }, drag: { x: true, y: false, setScale: false, dist: 4 },
        dataIdx: (plot, series, closest, value) => Math.min(this.length - 1, Math.max(0, Math.floor((value - this.x[0]) / (this.stepNs / 1e9)))),
        bind: { dblclick: () => () => { zoomReset(); return null; } },
      },
      scales: { x: { time: false, range: () => [this.x[0], this.x[this.x.length - 1]] }, y: { distr: panel.log ? 3 : 1, range: panel.log ? logRange : (plot, low, high) => linearRange(high, panel) } },
      axes: [
        { ...text, show: true, size: isLast ? 22 : 0, incrs: INCREMENTS, space: 90, values: isLast ? (plot, splits) => this.times(splits) : () => [] },
        { ...text, size: GUTTER, space: panel.log ? 16 : 26, values: (plot, splits) => splits.map((value) => (value === null || (panel.log && !labelled(value, splits)) ? null : format.axis(value))), filter: panel.log ? (plot, splits) => splits : undefined },
      ],
      series: [{}, ...panel.series.map((one) => ({ label: one.label, stroke: css(one.colour), width: one.width || 1.25, dash: one.dash, fill: one.fill ? faint(css(one.colour), one.fill) : undefined, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }))],
      hooks: {
        drawClear: [(plot) => this.ground(plot)],
        draw: [(plot) => this.threshold(plot, panel)],
        setCursor: [(plot) => this.read(plot.cursor.idx ?? -1)],
        setSelect: [(plot) => this.select(plot)],
        ready: [(plot) => { plot.isLast = isLast; }],
      },
    };
  }

  moment(seconds) { return this.base + BigInt(Math.round(seconds * 1e9)); }

  times(splits) {
    const apart = splits.length > 1 ? (splits[1] - splits[0]) * 1e9 : this.stepNs;
    return splits.map((split) => clock(this.moment(split), digitsFor(apart)));
  }

  // Behind the lines: findings' windows and what was not observed.
  ground(plot) {
    const pen = plot.ctx;
    const { left, top, width, height } = plot.bbox;
    const scale = devicePixelRatio || 1;
    const at = (ns) => Math.min(left + width, Math.max(left, plot.valToPos(Number(ns - this.base) / 1e9, "x", true)));
    pen.save();
    for (const { from, to, severity } of this.shade) {
      const [a, b] = [at(from), to === null ? left + width : at(to)];
      pen.globalAlpha = 0.1;
      pen.fillStyle = css(severity === "warning" ? "--warning-fill" : `--${severity}`);
      pen.fillRect(a, top, Math.max(2 * scale, b - a), height);
    }
    pen.restore();
    for (let i = 0; i < this.states.length; i++) {
      if (this.states[i] !== "n" && this.states[i] !== "p") continue;
      const letter = this.states[i];
      const from = i;
      while (i + 1 < this.states.length && this.states[i + 1] === letter) i++;
      const a = plot.valToPos(this.x[from], "x", true);
      hatch(pen, a, top, plot.valToPos(this.x[i + 1], "x", true) - a, height, css("--edge"), scale, letter === "n" ? 0.5 : 0.3);
    }
  }

  threshold(plot, panel) {
    if (panel.threshold === undefined) return;
    const pen = plot.ctx;
    const { left, top, width, height } = plot.bbox;
    const y = plot.valToPos(panel.threshold, "y", true);
    if (!(y >= top && y <= top + height)) return;
    pen.save();
    pen.strokeStyle = css("--critical");
    pen.lineWidth = devicePixelRatio || 1;
    pen.setLineDash([6, 4]);
    pen.beginPath();
    pen.moveTo(left, y);
    pen.lineTo(left + width, y);
    pen.stroke();
    pen.restore();
  }

  // Every panel says what it shows at the cursor, or its extreme when there is none.
  read(step) {
    this.step = step;
    const place = this.element.firstElementChild;
    if (!place) return;
    const inside = step >= 0 && step < this.length;
    const from = inside ? this.start + BigInt(step) * BigInt(this.stepNs) : null;
    put(place, inside ? [h("strong", null, clock(from, Math.max(1, digitsFor(this.stepNs)))), ` · ${day(from)} · `, t("chart.step", { step: duration(this.stepNs) }), stateWord(this.states[step])] : t("chart.hint", { step: duration(this.stepNs) }));
    for (const { panel, readout } of this.plots) if (!panel.missing) put(readout, panel.series.map((one) => this.value(panel, one, inside ? step : -1)));
  }

  value(panel, one, step) {
    const format = FORMATS[panel.format].value;
    const swatch = h("i", { class: one.dash ? "swatch dashed" : "swatch", style: { borderTopColor: css(one.colour) } });
    if (step < 0) {
      const most = one.values.reduce((high, value) => (value !== null && (high === null || value > high) ? value : high), null);
      return h("span", null, swatch, one.label, h("span", { class: "dim" }, ` ${t("chart.most")} `), most === null ? "–" : format(most));
    }
    const value = one.values[step];
    return h("span", null, swatch, one.label, " ", value === null ? h("span", { class: "none" }, "–") : h("b", null, format(value)));
  }

  select(plot) {
    if (plot.select.width < 4 || this.zooming) return;
    const from = this.moment(plot.posToVal(plot.select.left, "x"));
    const to = this.moment(plot.posToVal(plot.select.left + plot.select.width, "x"));
    this.zooming = true;
    // Out of the library's own event: the panels may be built anew.
    setTimeout(() => {
      this.zooming = false;
      this.plots.forEach(({ plot: one }) => one && one.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false));
      if (to - from >= 1000n) zoomTo(...roundly(from, to));
    });
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.target !== this.element) return;
    event.preventDefault();
    const was = this.step < 0 ? (by > 0 ? -1 : this.length) : this.step;
    const step = Math.min(this.length - 1, Math.max(0, was + by * (event.shiftKey ? 10 : 1)));
    for (const { plot } of this.plots) if (plot) plot.setCursor({ left: plot.valToPos((this.x[step] + this.x[step + 1]) / 2, "x"), top: 4 }, false);
    this.read(step);
  }
}

// A hand does not point more finely than a thousandth of what it selects; addresses stay readable.
function roundly(from, to) {
  const unit = 10n ** BigInt(Math.max(0, String(to - from).length - 4));
  return [from - (from % unit), to + ((unit - (to % unit)) % unit)];
}

const STATES = { n: "state.not_observed", i: "state.idle", p: "state.partly", q: "state.quiet" };
const stateWord = (state) => (STATES[state] ? ` · ${t(STATES[state])}` : "");
// Powers of ten; where few of them are in view, 2 and 5 as well.
function labelled(value, splits) {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  const digit = Math.round(value / power);
  return digit === 1 || (splits[splits.length - 1] / splits[0] < 101 && (digit === 2 || digit === 5));
}
function logRange(plot, low, high) {
  if (!(high > 0)) return [1000, 1000000];
  return [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high) + 1e-9)];
}
function linearRange(high, panel) {
  const top = Math.max(high || 0, panel.threshold || 0, panel.floor || 0);
  return [0, top > 0 ? top * 1.08 : 1];
}
function faint(colour, alpha) {
  const hex = /^#(..)(..)(..)$/.exec(colour);
  return hex ? `rgba(${hex.slice(1).map((part) => parseInt(part, 16)).join(",")},${alpha})` : colour;
}
