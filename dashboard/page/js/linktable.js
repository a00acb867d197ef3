// Links as rows with their cells over time: on the first page and on the page of links.

import { cannotKnow, glyph, h, idle, notObserved } from "./dom.js";
import { DEVIATES, draw, palette } from "./heat.js";
import { count, duration, rate, share, three } from "./format.js";
import { big, clock, digitsFor } from "./time.js";
import { get, linkHref, set } from "./state.js";
import { learnLinks } from "./words.js";
import { t } from "./i18n.js";
import { table } from "./table.js";

export const STEPS = 200;
export const cellMode = () => (get("m") === "load" ? "load" : "dev");

export function modeSwitch() {
  const is = cellMode();
  const one = (mode) => h("button", { "aria-pressed": String(is === mode), "data-key": `m-${mode}`, title: t(`heat.${mode}.why`), onclick: () => set({ m: mode === "dev" ? "" : mode }, { replace: true }) }, t(`heat.${mode}`));
  return h("span", { class: "group", role: "group", "aria-label": t("heat.colour") }, one("dev"), one("load"));
}

export const meanBps = (row, seconds) => (row.link.bytes * 8) / seconds;
export const retransmitted = (link) => link.tcp_retransmitted + (link.roce ? link.roce.retransmitted : 0);
export const lost = (link) => (link.roce ? link.roce.lost_before_tap + link.roce.lost_after_tap : 0);
const blind = (row) => row.states.length > 0 && !/[^n]/.test(row.states);

// Without a packet a link is idle where its tap delivered others, else not observed.
const measuredOr = (row, value) => (row.link.packets > 0 ? value() : blind(row) ? notObserved(t("why.tap_silent")) : idle(t("why.idle")));

export const cell = {
  mean: (seconds) => (row) => measuredOr(row, () => rate(meanBps(row, seconds))),
  peak: (bin) => (row) => measuredOr(row, () => rate(row.link.burst[bin])),
  ce: (row) => measuredOr(row, () => (row.ce_share.every((one) => one === null) ? cannotKnow(t("why.no_ect")) : zero(row.link.ce_packets / row.link.packets, share, "warn"))),
  cnp: (row) => measuredOr(row, () => zero(row.link.cnp_packets, count)),
  retransmitted: (row) => measuredOr(row, () => zero(retransmitted(row.link), count, "warn")),
  lost: (row) => measuredOr(row, () => (row.link.roce ? zero(lost(row.link), count, "warn") : cannotKnow(t("why.no_psn")))),
  rtt: (row) => rttCell(row.link.rtt_ns),
  pfc: (row) => pfcCell(row.link),
};

const zero = (value, shown, tone) => h("span", { class: value === 0 ? "zero" : tone || null }, shown(value));

// Under a thousand samples the 99th percentile stands on fewer than ten.
export function rttCell(rtt, which = "p99") {
  if (!rtt) return notObserved(t("why.no_rtt"));
  const thin = rtt.count < 1000;
  return h("span", { class: thin ? "thin help" : null, title: t(thin ? "why.few" : "rtt.samples", { n: count(rtt.count) }) }, duration(rtt[which]));
}

export function pfcCell(link) {
  if (link.pfc.visible !== "yes") return cannotKnow(t(link.pfc.visible === "no" ? "why.pfc_no" : "why.pfc_unknown"));
  const worst = Math.max(...(link.pfc.paused_ns || [0]));
  return h("span", { class: worst === 0 ? "zero" : "warn", title: t("pfc.frames", { n: count(link.pfc.frames) }) }, duration(worst));
}

// data: the answer of /links; findings: those of the window, for the marks.
export function linkTable(data, findings, { full = false, sort, order } = {}) {
  learnLinks(data.rows);
  const seconds = data.covered_ns / 1e9;
  const view = new Cells(data, findings);
  const columns = [
    { label: h("span", { class: "offscreen" }, t("col.severity")), class: "mark", cell: (row) => (row.worst ? glyph(row.worst) : null) },
    { key: "name", label: t("col.link"), class: "name", cell: (row) => h("a", { href: linkHref(row.link.id), title: `${row.link.name}\n${row.link.id}`, tabindex: "-1" }, row.link.name) },
    { label: view.axis(), class: "strip", cell: (row) => view.strip(row) },
    { key: "bytes", label: t("col.mean"), num: true, title: t("col.mean.why"), cell: cell.mean(seconds) },
    full && { key: "max_bps_1ms", label: t("col.peak_1ms"), num: true, title: t("col.peak.why"), cell: cell.peak("max_bps_1ms") },
    { key: "max_bps_100us", label: t("col.peak_100us"), num: true, title: t("col.peak.why"), cell: cell.peak("max_bps_100us") },
    { key: "ce_share", label: t("col.ce"), num: true, title: t("col.ce.why"), cell: cell.ce },
    full && { key: "cnp_packets", label: t("col.cnp"), num: true, title: t("col.cnp.why"), cell: cell.cnp },
    full && { label: t("col.pfc"), num: true, title: t("col.pfc.why"), cell: cell.pfc },
    { key: "retransmitted", label: t("col.retransmitted"), num: true, title: t("col.retransmitted.why"), cell: cell.retransmitted },
    full && { key: "lost", label: t("col.lost"), num: true, title: t("col.lost.why"), cell: cell.lost },
    { key: "rtt_p99", label: t("col.rtt_p99"), num: true, title: t("col.rtt.why"), cell: cell.rtt },
    full && { key: "flows", label: t("col.flows"), num: true, cell: (row) => count(row.link.flows) },
  ].filter(Boolean);
  const shown = table(columns, data.rows, { sort, order, caption: t("links.caption"), go: (row) => linkHref(row.link.id), key: (row) => row.link.id });
  view.begin(shown);
  return h("div", { class: "heat" }, shown, legend());
}

export function legend() {
  const sign = (name, text) => h("span", null, h("i", { class: `i-${name}` }), text);
  const colour = cellMode() === "load"
    ? [h("span", null, "0 ", h("i", { class: "i-cividis" }), ` 100 % ${t("heat.of_speed")}`)]
    : [sign("below", t("heat.below", { n: DEVIATES })), sign("above", t("heat.above", { n: DEVIATES })), sign("mean", t("heat.mean")), sign("peak", t("heat.peak")), sign("ce", t("heat.ce"))];
  return h("div", { class: "legend" }, colour, sign("zero", t("state.zero")), sign("idle", t("state.idle")), sign("quiet", t("state.quiet")), sign("hatch", t("state.not_observed")), sign("partly", t("state.partly")), sign("finding", t("heat.finding")));
}

// States without a number: their name and why.
const EMPTY = { n: ["state.not_observed", "why.tap_silent_step"], i: ["state.idle", "why.idle_step"], q: ["state.quiet", "why.quiet_step"] };

// The strips of one table share an axis and a cursor.
class Cells {
  constructor(data, findings) {
    this.data = data;
    this.start = big(data.start_ns || "0");
    this.step = data.step_ns || 1;
    this.steps = data.rows.length ? data.rows[0].bps.length : 0;
    this.length = this.step * this.steps;
    this.canvases = [];
    this.at = -1;
    this.marks = new Map();
    // The worst is drawn last, over the others.
    const weight = { info: 0, warning: 1, critical: 2 };
    for (const finding of [...findings].sort((a, b) => weight[a.severity] - weight[b.severity])) this.mark(finding);
    const rated = data.rows.map((row) => row.link.speed_bps || 0);
    this.fallback = Math.max(1, ...rated, ...data.rows.map((row) => (row.link.speed_bps ? 0 : row.link.burst.max_bps_100us)));
  }

  mark(finding) {
    const id = finding.subject.link;
    if (!id) return;
    const from = Number(big(finding.since_ns) - this.start) / this.length;
    const to = finding.until_ns ? Number(big(finding.until_ns) - this.start) / this.length : 1;
    if (to >= 0 && from <= 1) this.marks.set(id, [...(this.marks.get(id) || []), [from, to, finding.severity]]);
  }

  digits() { return Math.max(this.length < 10e9 ? 1 : 0, Math.min(6, digitsFor(this.length / 10))); }

  axis() {
    const label = (i) => h("span", null, clock(this.start + BigInt(Math.round((this.length * i) / 4)), this.digits()));
    return h("span", { class: "axis", "aria-label": t("heat.axis") }, this.steps ? [0, 1, 2, 3, 4].map(label) : null);
  }

  strip(row) {
    const canvas = h("canvas", { role: "img", "aria-label": this.summary(row) });
    canvas.addEventListener("pointermove", (event) => this.point(Math.floor((event.offsetX / canvas.clientWidth) * this.steps), row, canvas, event));
    canvas.addEventListener("pointerleave", () => this.point(-1));
    this.canvases.push([canvas, row]);
    return canvas;
  }

  // The same for those who cannot see the picture.
  summary(row) {
    const far = row.deviation.filter((z) => z !== null && Math.abs(z) >= DEVIATES).length;
    const of = (letter) => row.states.split(letter).length - 1;
    return t("heat.summary", { n: row.states.length, far, idle: of("i") + of("q"), unseen: of("n") });
  }

  begin(shown) {
    shown.addEventListener("keydown", (event) => {
      const row = event.target.closest && event.target.closest("tr[data-go]");
      if (!row || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
      event.preventDefault();
      const found = this.canvases.find(([canvas]) => row.contains(canvas));
      const by = (event.key === "ArrowRight" ? 1 : -1) * (event.shiftKey ? 10 : 1);
      if (found) this.point(Math.min(this.steps - 1, Math.max(0, (this.at < 0 ? this.steps : this.at) + by)), found[1], found[0]);
    });
    shown.addEventListener("focusout", () => this.point(-1));
    requestAnimationFrame(() => this.paint());
    this.watch = new ResizeObserver(() => (shown.isConnected ? this.paint() : this.watch.disconnect()));
    this.watch.observe(shown);
  }

  paint() {
    const colours = palette();
    const mode = cellMode();
    for (const [canvas, row] of this.canvases) draw(canvas, row, { full: row.link.speed_bps || this.fallback, mode, colours, marks: this.marks.get(row.link.id), at: this.at });
  }

  point(step, row, canvas, event) {
    const was = this.at;
    this.at = step < this.steps ? step : -1;
    if (was !== this.at) this.paint();
    if (this.at < 0 || !row) return tip(null);
    const box = canvas.getBoundingClientRect();
    tip(this.readout(row, this.at), event ? event.clientX : box.left + ((this.at + 0.5) / this.steps) * box.width, box.bottom);
  }

  readout(row, step) {
    const from = this.start + BigInt(step) * BigInt(this.step);
    const digits = Math.max(1, digitsFor(this.step));
    const line = (name, value) => h("div", null, h("dt", null, name), h("dd", null, value));
    const state = row.states[step];
    const z = row.deviation[step];
    return [h("strong", null, row.link.name), h("p", { class: "dim" }, `${clock(from, digits)} · ${duration(this.step)}`),
      EMPTY[state] ? h("p", null, t(EMPTY[state][0]), ": ", t(EMPTY[state][1]))
        : h("dl", null,
          line(t("heat.mean"), rate(row.bps[step])),
          line(t("heat.peak"), row.max_bps_100us[step] === null ? "–" : rate(row.max_bps_100us[step])),
          row.link.speed_bps ? line(t("heat.of_speed"), share(row.bps[step] / row.link.speed_bps)) : null,
          line(t("col.ce"), row.ce_share[step] === null ? "?" : share(row.ce_share[step])),
          line(t("heat.deviation"), z === null ? t("heat.too_few") : `${z > 0 ? "+" : ""}${three(z)} σ`)),
      state === "p" ? h("p", null, t("state.partly"), ": ", t("why.partly")) : null];
  }
}

let box = null;
export function tip(content, x = 0, y = 0) {
  if (!box) {
    box = h("div", { class: "tip", role: "status", hidden: true });
    document.body.append(box);
  }
  box.hidden = !content;
  if (!content) return;
  box.replaceChildren(...content.filter(Boolean));
  const width = box.offsetWidth;
  box.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, x + 14))}px`;
  box.style.top = `${y + box.offsetHeight + 12 > innerHeight ? y - box.offsetHeight - 40 : y + 6}px`;
}

