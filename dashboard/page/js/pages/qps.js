// RDMA queue pairs: messages, losses and round trips, one row per direction.

import { ask, inWindow } from "../api.js";
import { big, full } from "../time.js";
import { bytes, count, duration } from "../format.js";
import { chip, choice, pages, searchField } from "../table.js";
import { get, linkHref, set } from "../state.js";
import { facts, h, mainPanel, panel, put } from "../dom.js";
import { hex, learnLinks, linkName } from "../words.js";
import { naks, qpKey, qpTable } from "../traffic.js";
import { t } from "../i18n.js";

const LIMIT = 100;

export const title = () => t("nav.qps");

export async function load({ window, signal }) {
  const when = inWindow(window);
  const [qps, links] = await Promise.all([
    ask("qps", { ...when, search: get("q"), link: get("link"), service: get("service"), sort: get("sort"), order: get("order"), limit: LIMIT, offset: get("offset") }, signal),
    ask("links", { ...when, steps: 1, limit: 1000 }, signal)]);
  return { qps, links };
}

export function draw(main, { qps, links }) {
  learnLinks(links.rows);
  const services = [...new Set([get("service"), ...qps.rows.map((row) => row.service)].filter(Boolean))].sort();
  const tools = h("div", { class: "tools" }, searchField(t("qps.search")), choice("service", t("col.service"), [["", t("qps.any_service")], ...services.map((name) => [name, name])]),
    get("link") ? chip("link", t("subject.link", { name: linkName(get("link")) })) : null);
  const none = qps.total === 0 && (get("q") || get("service") || get("link")) ? t("qps.no_match") : t("qps.none");
  const chosen = qps.rows.find((row) => qpKey(row) === get("sel"));
  put(main, chosen ? one(chosen) : null,
    mainPanel(t("nav.qps"), t("qps.n", { n: count(qps.total) }), tools, qps.rows.length ? qpTable(qps.rows, { sort: get("sort") || "packets", order: get("order") || "desc" }) : h("p", { class: "empty" }, none), pages(qps, LIMIT)));
}

// The chosen one, whole.
function one(qp) {
  const rtt = qp.rtt_ns;
  const total = Object.values(qp.opcodes).reduce((sum, n) => sum + n, 0);
  return panel(t("qp.title", { src: qp.src, dst: qp.dst, qp: hex(qp.dst_qp) }), h("button", { "data-key": "close", onclick: () => set({ sel: "" }, { replace: true }) }, t("help.close")),
    facts([
      [t("col.link"), h("a", { href: linkHref(qp.link) }, linkName(qp.link))], [t("col.packets"), count(qp.packets)], [t("qp.copies"), count(qp.copies), t("qp.copies.why")], [t("col.messages"), count(qp.messages)], [t("col.message_bytes"), bytes(qp.message_bytes)],
      [t("qp.nak"), naks(qp) ? `${count(qp.nak.sequence)} / ${count(qp.nak.invalid_request)} / ${count(qp.nak.remote_access)} / ${count(qp.nak.remote_operation)}` : "0", t("qp.nak.why")], [t("qp.rnr"), count(qp.rnr)], [t("col.timeouts"), count(qp.timeouts)],
      [t("col.gaps"), count(qp.psn_gaps)], [t("qp.inversions"), count(qp.inversions)], [t("link.lost_before"), count(qp.lost_before_tap)], [t("link.lost_after"), count(qp.lost_after_tap)], [t("col.ce_packets"), count(qp.ce_packets)], [t("col.cnp"), count(qp.cnp_packets)],
      [t("link.icrc"), qp.icrc_checked ? t("link.icrc.checked", { bad: count(qp.icrc_bad), n: count(qp.icrc_checked) }) : t("link.icrc.none")],
      rtt ? ["RTT p50 / p90 / p99 / p99.9", `${duration(rtt.p50)} / ${duration(rtt.p90)} / ${duration(rtt.p99)} / ${duration(rtt.p999)} (${count(rtt.count)})`] : ["RTT", "–", t("why.no_rtt")],
      [t("link.first"), full(big(qp.first_ns), 6)], [t("link.last"), full(big(qp.last_ns), 6)],
    ]),
    h("h3", null, t("qp.operations")), h("dl", { class: "numbers" }, Object.entries(qp.opcodes).sort((a, b) => b[1] - a[1]).map(([name, n]) => [h("dt", { class: "mono" }, name), h("dd", null, `${count(n)} `, h("span", { class: "dimmer" }, total ? `${((100 * n) / total).toFixed(1)} %` : ""))])));
}
