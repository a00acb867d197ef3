// One link: everything measured on it on one time axis, who uses it, what was found, and which mirror shows it.

import { ask, inWindow } from "../api.js";
import { Charts } from "../chart.js";
import { bytes, count, duration, rate } from "../format.js";
import { big, clock } from "../time.js";
import { cell, meanBps } from "../linktable.js";
import { facts, glyph, h, panel, put } from "../dom.js";
import { against, explanationOf, findingLink, learnLinks, whenOf } from "../words.js";
import { flowTable, qpTable } from "../traffic.js";
import { href } from "../state.js";
import { linkPanels } from "../linkcharts.js";
import { t } from "../i18n.js";

const STEPS = 600;
const ROWS = 8;
const charts = new Charts();

export const title = ({ id }, data) => (data && data.row ? data.row.link.name : id);

export async function load({ id, window, signal }) {
  const when = inWindow(window);
  const [series, links, flows, qps, findings] = await Promise.all([
    ask(`links/${encodeURIComponent(id)}/series`, { ...when, steps: STEPS }, signal), ask("links", { ...when, id, steps: STEPS, limit: 1 }, signal),
    ask("flows", { ...when, link: id, limit: ROWS }, signal), ask("qps", { ...when, link: id, limit: ROWS }, signal), ask("findings", { ...when, link: id, limit: 100 }, signal)]);
  return { series, row: links.rows[0], seconds: links.covered_ns / 1e9, flows, qps, findings };
}

export function draw(main, { series, row, seconds, flows, qps, findings }) {
  const { link } = row;
  learnLinks([row]);
  put(main, head(row, seconds),
    panel(t("link.over_time"), t("chart.zoom_hint"), charts.element),
    h("div", { class: "halves" },
      panel(t("findings.title"), count(findings.total), findings.rows.length ? findings.rows.map(item) : h("p", { class: "empty" }, t("link.no_finding"))),
      provenance(row)),
    panel(t("nav.flows"), all("/flows", link, flows, "flows.all"), flows.rows.length ? flowTable(flows.rows, { short: true }) : h("p", { class: "empty" }, t("flows.none"))),
    panel(t("nav.qps"), all("/qps", link, qps, "qps.all"), qps.rows.length ? qpTable(qps.rows, { short: true }) : h("p", { class: "empty" }, t("qps.none"))));
  const shade = findings.rows.filter((one) => one.severity !== "info").map((one) => ({ from: big(one.since_ns), to: big(one.until_ns), severity: one.severity }));
  return charts.show(series, linkPanels(series, link), { shade, states: row.states, label: t("chart.label", { name: link.name }) });
}

const all = (path, link, data, key) => (data.total > data.rows.length ? h("a", { href: href(path, { link: link.id }) }, t(key, { n: count(data.total) })) : count(data.total));

function head(row, seconds) {
  const { link } = row;
  const at = big(link.burst.max_100us_at_ns);
  return h("section", { class: "panel" },
    h("p", { class: "small" }, h("a", { href: href("/links"), "data-up": "" }, `← ${t("nav.links")}`)),
    h("h1", null, row.worst ? glyph(row.worst) : null, " ", link.name),
    facts([
      [t("col.mean"), cell.mean(seconds)(row), t("col.mean.why")],
      [t("col.peak_1ms"), cell.peak("max_bps_1ms")(row), t("col.peak.why")],
      [t("col.peak_100us"), h("span", null, cell.peak("max_bps_100us")(row), link.packets ? h("span", { class: "tiny dimmer" }, ` ${t("at")} ${clock(at, 4)}`) : null), t("col.peak.why")],
      [t("link.speed"), link.speed_bps ? rate(link.speed_bps) : h("span", { class: "none help", title: t("why.no_speed") }, "?")],
      link.speed_bps && link.packets ? [t("link.utilization"), `${((100 * meanBps(row, seconds)) / link.speed_bps).toFixed(1)} %`, t("col.mean.why")] : null,
      [t("col.ce"), cell.ce(row), t("col.ce.why")],
      [t("col.cnp"), cell.cnp(row), t("col.cnp.why")],
      [t("col.pfc"), cell.pfc(row), t("col.pfc.why")],
      [t("col.rtt_p99"), cell.rtt(row), t("col.rtt.why")],
      [t("col.retransmitted"), cell.retransmitted(row), t("col.retransmitted.why")],
      [t("link.lost_before"), lost(link, "lost_before_tap"), t("link.lost_before.why")],
      [t("link.lost_after"), lost(link, "lost_after_tap"), t("link.lost_after.why")],
      [t("link.silent"), link.silent_ns_max ? duration(link.silent_ns_max) : "–", t("link.silent.why")],
    ]));
}

const lost = (link, which) => (link.roce ? h("span", { class: link.roce[which] ? "warn" : "zero" }, count(link.roce[which])) : h("span", { class: "none help", title: t("why.no_psn") }, "?"));

const item = (one) => h("article", { class: "finding" }, glyph(one.severity), h("div", null, h("strong", null, findingLink(one)), one.until_ns ? null : h("span", { class: "tag open" }, t("finding.open")),
  h("p", { class: "small" }, explanationOf(one)), h("p", { class: "tiny dimmer" }, whenOf(one), " · ", against(one))));

// Where the picture comes from: what another mirror shows is not in it.
function provenance(row) {
  const { link } = row;
  const { mirror } = link;
  const pair = (name, value) => (value === undefined || value === "" ? null : [h("dt", null, name), h("dd", null, value)]);
  const known = link.packets > 0;
  return panel(t("link.provenance"), null, h("dl", { class: "numbers" },
    pair(t("mirror.tap"), mirror.tap), pair(t("mirror.kind"), t(`mirror.${mirror.kind}`)), pair(t("mirror.session"), mirror.session), pair("VLAN", mirror.vlan), pair(t("mirror.port"), mirror.port),
    pair(t("mirror.direction"), mirror.direction), pair(t("mirror.source"), mirror.source), pair(t("link.from"), link.from), pair(t("link.to"), link.to),
    pair(t("link.packets"), known ? count(link.packets) : "–"), pair(t("link.bytes"), known ? bytes(link.bytes) : "–"),
    pair(t("link.first"), known ? clock(big(link.first_ns), 6) : "–"), pair(t("link.last"), known ? clock(big(link.last_ns), 6) : "–"),
    pair(t("link.icrc"), link.roce ? (link.roce.icrc_checked ? t("link.icrc.checked", { bad: count(link.roce.icrc_bad), n: count(link.roce.icrc_checked) }) : t("link.icrc.none")) : undefined),
    pair(t("link.pfc_visible"), t(`pfc.${link.pfc.visible}`)), pair(t("link.id"), h("span", { class: "mono" }, link.id))));
}
