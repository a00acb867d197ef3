// How a kind is judged: its thresholds and where they come from, from the registry of detectors.

import { ask } from "./api.js";
import { h } from "./dom.js";
import { kindName } from "./words.js";
import { t } from "./i18n.js";
import { three } from "./format.js";

let asked = null;
// The registry is part of the program: once is enough.
export const registry = () => (asked ||= ask("kinds").then(({ rows }) => rows).catch(() => { asked = null; return []; }));

// What the registry says is in English, as in the documentation.
export function judgedBy(kind) {
  const line = (one) => h("tr", null, h("td", { class: "mono" }, one.name), h("td", { class: "num" }, three(one.lossless)), h("td", { class: "num" }, three(one.lossy)), h("td", { class: "num" }, three(one.lab)), h("td", { class: "dim" }, one.unit), h("td", { class: "wide", lang: "en" }, one.what), h("td", { class: "wide dim", lang: "en" }, one.source));
  const head = [t("knob.name"), "lossless", "lossy", "lab", t("knob.unit"), t("knob.what"), t("knob.source")];
  return h("details", { class: "knobs", "data-key": `knobs-${kind.kind}` }, h("summary", { "data-key": `judged-${kind.kind}` }, kindName(kind.kind), h("span", { class: "dimmer mono" }, ` ${kind.kind}`)),
    h("p", { class: "small", lang: "en" }, kind.shows),
    h("div", { class: "scroll" }, h("table", null, h("caption", { class: "offscreen" }, t("knob.title")), h("thead", null, h("tr", null, head.map((label, i) => h("th", { scope: "col", class: i > 0 && i < 4 ? "num" : null }, label)))), h("tbody", null, kind.thresholds.map(line)))));
}
