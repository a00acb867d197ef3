// Rows of flows and of queue pairs.

import { bytes, count, duration, message, share } from "./format.js";
import { big, clock } from "./time.js";
import { cannotKnow, h, notObserved } from "./dom.js";
import { get, linkHref, set } from "./state.js";
import { hex, linkName } from "./words.js";
import { rttCell } from "./linktable.js";
import { t } from "./i18n.js";
import { table } from "./table.js";

const zero = (n, warn) => h("span", { class: n === 0 ? "zero" : warn ? "warn" : null }, count(n));
const link = (one) => h("a", { href: linkHref(one.link), tabindex: "-1", title: one.link }, linkName(one.link));

// The most specific name; unknown is an answer, with its reason.
export function app(flow) {
  if (!flow.app) return h("span", { class: "none help", title: t("why.no_app") }, t("app.unknown"));
  const how = t(`engine.${flow.engine}`);
  return h("span", { class: "help", title: t("app.how", { how, sure: share(flow.confidence) }) }, flow.app);
}

export function flowTable(rows, { short = false, sort, order } = {}) {
  const end = (address, port) => h("span", { class: "mono", title: address }, address, port ? h("span", { class: "dimmer" }, `:${port}`) : null);
  const columns = [
    { key: "src", label: t("col.src"), class: "name", cell: (one) => end(one.src, one.l4 === "tcp" || one.l4 === "udp" ? one.sport : 0) },
    { key: "dst", label: t("col.dst"), class: "name", cell: (one) => end(one.dst, one.dport) },
    { key: "l4", label: t("col.l4"), cell: (one) => one.l4 },
    { key: "app", label: t("col.app"), cell: app },
    { label: t("col.qp"), num: true, class: "mono", cell: (one) => (one.dst_qp === undefined ? "" : hex(one.dst_qp)) },
    { label: t("col.host_name"), class: "name", cell: (one) => h("span", { title: one.host_name }, one.host_name || "") },
    !short && { key: "link", label: t("col.link"), class: "name", cell: link },
    { key: "bytes", label: t("col.bytes"), num: true, cell: (one) => bytes(one.bytes) },
    { key: "packets", label: t("col.packets"), num: true, cell: (one) => count(one.packets) },
    { key: "ce_packets", label: t("col.ce_packets"), num: true, cell: (one) => zero(one.ce_packets, true) },
    { key: "retransmitted", label: t("col.retransmitted"), num: true, cell: (one) => zero(one.retransmitted, true) },
    { label: t("col.rtt_p99"), num: true, cell: (one) => rttCell(one.rtt_ns) },
    { key: "first_ns", label: t("col.first"), num: true, cell: (one) => clock(big(one.first_ns), 3) },
    { label: t("col.lasted"), num: true, cell: (one) => duration(big(one.last_ns) - big(one.first_ns)) },
  ].filter(Boolean);
  return table(short ? columns.map((column) => ({ ...column, key: undefined })) : columns, rows, { sort, order, caption: t("flows.caption"), key: flowKey });
}

const flowKey = (one) => `${one.src}:${one.sport}>${one.dst}:${one.dport}/${one.l4}/${one.dst_qp ?? ""}`;
export const qpKey = (one) => `${one.src}>${one.dst}#${one.dst_qp}`;
export const naks = (one) => one.nak.sequence + one.nak.invalid_request + one.nak.remote_access + one.nak.remote_operation;

export function qpTable(rows, { short = false, sort, order } = {}) {
  const columns = [
    { key: "src", label: t("col.src"), class: "name", cell: (one) => h("span", { class: "mono" }, one.src) },
    { key: "dst", label: t("col.dst"), class: "name", cell: (one) => h("span", { class: "mono" }, one.dst) },
    { key: "dst_qp", label: t("col.dst_qp"), class: "mono", num: true, cell: (one) => hex(one.dst_qp) },
    { label: t("col.src_qp"), class: "mono", num: true, cell: (one) => (one.src_qp === undefined ? cannotKnow(t("why.not_paired")) : h("span", { class: "help", title: t(`paired.${one.paired_by}`) }, hex(one.src_qp))) },
    { key: "transport", label: t("col.transport"), class: "roomy", cell: (one) => one.transport },
    { key: "service", label: t("col.service"), cell: (one) => one.service || h("span", { class: "none help", title: t("why.no_service") }, t("app.unknown")) },
    !short && { key: "link", label: t("col.link"), class: "name", cell: link },
    { key: "messages", label: t("col.messages"), num: true, cell: (one) => count(one.messages) },
    { key: "message_bytes", label: t("col.message_bytes"), num: true, cell: (one) => bytes(one.message_bytes) },
    { label: t("col.message_mean"), num: true, class: "roomy", cell: (one) => (one.messages ? message(one.message_bytes / one.messages) : notObserved(t("why.no_message"))) },
    { key: "packets", label: t("col.packets"), num: true, cell: (one) => count(one.packets) },
    { label: t("col.nak"), num: true, title: t("col.nak.why"), cell: (one) => zero(naks(one), true) },
    { key: "retransmitted", label: t("col.retransmitted"), num: true, cell: (one) => zero(one.retransmitted, true) },
    { key: "psn_gaps", label: t("col.gaps"), num: true, title: t("col.gaps.why"), cell: (one) => zero(one.psn_gaps, true) },
    { key: "timeouts", label: t("col.timeouts"), num: true, cell: (one) => zero(one.timeouts, true) },
    { label: t("col.rtt_p99"), num: true, title: t("col.rtt.why"), cell: (one) => rttCell(one.rtt_ns) },
  ].filter(Boolean);
  return table(short ? columns.map((column) => ({ ...column, key: undefined })) : columns, rows, { sort, order, caption: t("qps.caption"), key: qpKey,
    go: short ? null : (one) => () => set({ sel: get("sel") === qpKey(one) ? "" : qpKey(one) }, { replace: true }) });
}
