// Every link, sortable and searchable, a page at a time.

import { ask, inWindow } from "../api.js";
import { count, duration, share } from "../format.js";
import { csv, pages, searchField, table } from "../table.js";
import { download, h, mainPanel, panel, put } from "../dom.js";
import { get, linkHref, set } from "../state.js";
import { linkTable, modeSwitch, STEPS } from "../linktable.js";
import { t } from "../i18n.js";

const LIMIT = 100;
const WORST_SHOWN = 10;
// Less says nothing of how often links fail.
const LONG_ENOUGH_NS = 3600e9;
const asked = (window) => ({ ...inWindow(window), search: get("q"), sort: get("sort") || "worst", order: get("order") || "desc" });

export const title = () => t("nav.links");

export async function load({ window, signal }) {
  const [links, findings, available] = await Promise.all([
    ask("links", { ...asked(window), steps: STEPS, limit: LIMIT, offset: get("offset") }, signal), ask("findings", { ...inWindow(window), limit: 1000 }, signal),
    ask("availability", { ...inWindow(window), limit: WORST_SHOWN }, signal)]);
  return { links, findings, available };
}

export function draw(main, { links, findings, available }, context) {
  const sort = get("sort") || "worst";
  const tools = h("div", { class: "tools" }, searchField(t("links.search")),
    h("button", { "aria-pressed": String(sort === "worst"), "data-key": "by-worst", onclick: () => set({ sort: "", order: "", offset: "" }) }, t("links.by_worst")),
    h("button", { "aria-pressed": String(sort === "deviation"), "data-key": "by-deviation", onclick: () => set({ sort: "deviation", order: "", offset: "" }) }, t("links.by_deviation")),
    h("span", { class: "grow" }), modeSwitch(), h("button", { "data-key": "csv", onclick: () => save(context.window) }, "CSV"));
  const none = links.links === 0 ? t("links.none") : t("links.no_match", { q: get("q") });
  put(main, mainPanel(t("links.title"), t("links.active", { active: count(links.active), n: count(links.links) }), tools,
    links.rows.length ? linkTable(links, findings.rows, { full: true, sort, order: get("order") || "desc" }) : h("p", { class: "empty" }, none), pages(links, LIMIT)), availability(available));
}

// How long links were up, and what that means for a cluster that needs all of them.
function availability({ rows, cluster }) {
  if (!rows.length || !cluster) return null;
  const observed = Math.max(...rows.map((row) => row.observed_ns));
  const chance = observed < LONG_ENOUGH_NS ? t("available.short", { time: duration(observed) })
    : t("available.month", { n: count(cluster.parts), chance: share(cluster.month_without_failure), least: share(cluster.month_without_failure_at_least), failures: count(cluster.failures_in_a_month) });
  const time = (ns) => (ns ? duration(ns) : "0");
  const between = (row) => (row.mtbf_ns === null ? h("span", { class: "none help", title: t("available.no_failure", { time: duration(row.mtbf_at_least_ns) }) }, "–") : duration(row.mtbf_ns));
  const columns = [
    { label: t("col.link"), cell: (row) => h("a", { href: linkHref(row.id) }, row.name) }, { label: t("available.share"), num: true, title: t("available.share.why"), cell: (row) => share(row.availability) },
    { label: t("available.down"), num: true, cell: (row) => time(row.down_ns) }, { label: t("available.degraded"), num: true, title: t("available.degraded.why"), cell: (row) => time(row.degraded_ns) },
    { label: t("available.failures"), num: true, cell: (row) => count(row.failures) }, { label: "MTBF", num: true, title: t("available.mtbf.why"), cell: between }, { label: t("available.observed"), num: true, cell: (row) => time(row.observed_ns) },
  ];
  const troubled = rows.filter((row) => row.down_ns || row.degraded_ns);
  return panel(t("available.title"), null, h("p", { class: "small dim" }, chance),
    troubled.length ? table(columns, troubled, { caption: t("available.title"), key: (row) => row.id }) : h("p", { class: "empty" }, t("available.all_up")));
}

async function save(window) {
  const data = await ask("links", { ...asked(window), steps: 1, limit: 1000 });
  const link = (value) => (row) => value(row.link);
  const columns = [
    ["id", link((one) => one.id)], ["name", link((one) => one.name)], ["from", link((one) => one.from)], ["to", link((one) => one.to)], ["speed_bps", link((one) => one.speed_bps)], ["packets", link((one) => one.packets)],
    ["bytes", link((one) => one.bytes)], ["max_bps_1ms", link((one) => one.burst.max_bps_1ms)], ["max_bps_100us", link((one) => one.burst.max_bps_100us)], ["ce_packets", link((one) => one.ce_packets)], ["cnp_packets", link((one) => one.cnp_packets)],
    ["pfc_visible", link((one) => one.pfc.visible)], ["pfc_frames", link((one) => (one.pfc.visible === "yes" ? one.pfc.frames : ""))], ["rdma_retransmitted", link((one) => one.roce && one.roce.retransmitted)], ["tcp_retransmitted", link((one) => one.tcp_retransmitted)],
    ["lost_before_tap", link((one) => one.roce && one.roce.lost_before_tap)], ["lost_after_tap", link((one) => one.roce && one.roce.lost_after_tap)], ["rtt_p50_ns", link((one) => one.rtt_ns && one.rtt_ns.p50)], ["rtt_p99_ns", link((one) => one.rtt_ns && one.rtt_ns.p99)],
    ["flows", link((one) => one.flows)], ["findings", (row) => row.findings], ["tap", (row) => row.tap],
  ];
  download("links.csv", "text/csv", csv(columns, data.rows));
}
