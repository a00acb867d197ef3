// One finding: what, how it is known, what it follows from and what follows from it, what to do.

import { ask, inWindow } from "../api.js";
import { Charts } from "../chart.js";
import { big, clock, full } from "../time.js";
import { copyButton, facts, glyph, h, panel, put } from "../dom.js";
import { adviceOf, explanationOf, findingLink, hex, kindName, learnLinks, numberName, signName, subjectLink, titleOf, whenOf } from "../words.js";
import { duration, measured, named } from "../format.js";
import { href, zoomTo } from "../state.js";
import { linkPanels, panelsFor } from "../linkcharts.js";
import { judgedBy, registry } from "../registry.js";
import { t } from "../i18n.js";

const STEPS = 400;
const charts = new Charts();

export const title = (context, data) => (data ? titleOf(data.finding, data.row && data.row.link.name) : t("nav.findings"));

export async function load({ id, window, signal }) {
  const when = inWindow(window);
  const [told, kinds] = await Promise.all([ask(`findings/${encodeURIComponent(id)}`, when, signal), registry()]);
  told.kind = kinds.find((kind) => kind.kind === told.finding.kind);
  const { link } = told.finding.subject;
  if (!link) return told;
  // A finding may outlive its link in what is kept: then there is no chart, and no failure.
  const [series, links] = await Promise.all([ask(`links/${encodeURIComponent(link)}/series`, { ...when, steps: STEPS }, signal).catch(() => null), ask("links", { ...when, id: link, steps: STEPS, limit: 1 }, signal)]);
  return { ...told, series, row: links.rows[0] };
}

export function draw(main, { finding, causes, consequences, series, row, kind, pcapng }, context) {
  if (row) learnLinks([row]);
  const name = row && row.link.name;
  const chart = series && row;
  put(main, head(finding, name, context, pcapng),
    causes.length || consequences.length ? chain(finding, causes, consequences, name) : null,
    chart ? panel(t("finding.chart"), t("chart.zoom_hint"), charts.element) : null,
    h("div", { class: "halves" }, numbers(finding), h("div", { class: "column" }, packets(finding), involved(finding), caveats(finding))),
    kind ? panel(t("finding.judged"), null, judgedBy(kind)) : null);
  if (!chart) return null;
  const shade = [{ from: big(finding.since_ns), to: big(finding.until_ns), severity: finding.severity }];
  return charts.show(series, linkPanels(series, row.link, panelsFor(finding)), { shade, states: row.states, label: t("chart.label", { name }) });
}

function head(finding, name, { window }, pcapng) {
  const since = big(finding.since_ns);
  const until = big(finding.until_ns);
  const around = () => {
    const last = until === null ? window.to : until;
    const margin = (last - since) / 4n + 50000000n;
    zoomTo(since - margin, last + margin);
  };
  return h("section", { class: `panel edge ${finding.severity}` },
    h("p", { class: "small" }, h("a", { href: href("/findings"), "data-up": "" }, `← ${t("nav.findings")}`)),
    h("h1", { id: "finding-title" }, glyph(finding.severity), " ", titleOf(finding, name)),
    h("p", { class: "said" }, explanationOf(finding)),
    h("p", { class: "advice" }, h("strong", null, `${t("finding.advice")} `), adviceOf(finding)),
    facts([
      [t("col.severity"), t(`level.${finding.severity}`)],
      [t("col.value"), measured(finding.value, finding.unit)],
      [t("col.threshold"), measured(finding.threshold, finding.unit)],
      [t("col.subject"), subjectLink(finding.subject, name)],
      [t("finding.since"), full(since, 6)],
      [t("finding.until"), until === null ? h("span", { class: "tag open" }, t("finding.open")) : full(until, 6)],
      until === null ? null : [t("col.lasted"), duration(until - since)],
      ...(finding.jobs || []).map((job) => [t("finding.cost", { job: job.job }), job.cost_ns_per_step ? duration(job.cost_ns_per_step) : t("why.no_cost")]),
    ]),
    h("div", { class: "tools" }, h("button", { "data-key": "around", onclick: around }, t("finding.zoom")),
      pcapng ? h("a", { class: "button", href: `/api/v1/findings/${encodeURIComponent(finding.id)}/pcapng`, download: "", title: t("finding.pcapng.why") }, t("finding.pcapng")) : null,
      copyButton(t("copy.text"), () => asText(finding, name), "copy-text"), copyButton(t("copy.json"), () => JSON.stringify(finding, null, 2), "copy-json")));
}

// From the root down to this one, then what follows.
function chain(finding, causes, consequences, name) {
  const one = (each, depth, here) => h("li", { class: `d${Math.min(depth, 3)}`, "aria-current": here ? "true" : null }, depth ? "↳ " : null, glyph(each.severity), " ", here ? h("strong", null, titleOf(each, name)) : findingLink(each), h("span", { class: "dimmer small" }, ` ${whenOf(each)}`));
  const up = [...causes].reverse();
  return panel(t("finding.chain"), null, h("ul", { class: "chain" }, up.map((each, depth) => one(each, depth, false)), one(finding, up.length, true), consequences.map((each) => one(each, up.length + 1, false))));
}

function numbers({ kind, evidence }) {
  const all = Object.entries(evidence.numbers);
  return panel(t("finding.numbers"), kindName(kind), all.length ? h("table", null, h("caption", { class: "offscreen" }, t("finding.numbers")),
    h("tbody", null, all.map(([name, value]) => h("tr", null, h("th", { scope: "row", class: "plain", title: name }, numberName(name)), h("td", { class: "num" }, named(name, value)))))) : h("p", { class: "empty" }, t("finding.no_numbers")));
}

function packets({ evidence }) {
  const rows = evidence.first_packets || [];
  const line = (one) => h("tr", null, h("td", null, clock(big(one.at_ns), 9)), h("td", { class: "mono" }, `${one.src} → ${one.dst}`), h("td", { class: "mono" }, one.dst_qp === undefined ? "" : hex(one.dst_qp)), h("td", { class: "num" }, one.psn === undefined ? "" : String(one.psn)), h("td", null, signName(one.what)));
  return panel(t("finding.packets"), null, rows.length ? h("div", { class: "scroll" }, h("table", null, h("caption", { class: "offscreen" }, t("finding.packets")),
    h("thead", null, h("tr", null, [t("col.at"), t("col.ends"), t("col.dst_qp"), "PSN", t("col.shows")].map((label) => h("th", { scope: "col" }, label)))), h("tbody", null, rows.map(line)))) : h("p", { class: "empty" }, t("finding.no_packets")));
}

const involved = ({ evidence }) => ((evidence.involved || []).length ? panel(t("finding.involved"), null, h("ul", { class: "plain mono" }, evidence.involved.map((one) => h("li", null, one)))) : null);
const caveats = ({ evidence }) => ((evidence.caveats || []).length ? panel(t("finding.caveats"), null, h("ul", { class: "plain" }, evidence.caveats.map((one) => h("li", null, one)))) : null);

function asText(finding, name) {
  const lines = [`${t(`level.${finding.severity}`)}: ${titleOf(finding, name)}`, explanationOf(finding), `${t("finding.advice")} ${adviceOf(finding)}`,
    `${t("finding.since")}: ${full(big(finding.since_ns))}`, finding.until_ns ? `${t("finding.until")}: ${full(big(finding.until_ns))}` : t("finding.open"),
    `${t("col.value")}: ${measured(finding.value, finding.unit)} (${t("col.threshold")} ${measured(finding.threshold, finding.unit)})`,
    ...Object.entries(finding.evidence.numbers).map(([number, value]) => `  ${numberName(number)}: ${named(number, value)}`),
    ...(finding.evidence.first_packets || []).map((one) => `  ${full(big(one.at_ns))} ${one.src} -> ${one.dst}${one.psn === undefined ? "" : ` PSN ${one.psn}`} ${one.what}`),
    ...(finding.evidence.caveats || []).map((one) => `  ${one}`), location.href];
  return lines.join("\n");
}
