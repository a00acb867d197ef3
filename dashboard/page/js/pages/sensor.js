// Can this sensor be trusted? What its mirrors lost, what it refused, what it forgot.

import { ask } from "../api.js";
import { big, full } from "../time.js";
import { bytes, count, share } from "../format.js";
import { facts, glyph, h, mainPanel, panel, put } from "../dom.js";
import { table } from "../table.js";
import { now } from "../live.js";
import { numbered } from "../taps.js";
import { judgedBy, registry } from "../registry.js";
import { t } from "../i18n.js";

export const needsNothing = true;
export const title = () => t("nav.sensor");
export async function load({ signal }) {
  const [told, kinds] = await Promise.all([ask("sensor", {}, signal), registry()]);
  return { ...told, kinds };
}

export function draw(main, { sensor, store, capture, analysis_here: here, kinds }) {
  const about = panel(t("sensor.who"), null, facts([
    [t("sensor.name"), sensor.sensor], [t("sensor.version"), sensor.version], [t("sensor.mode"), t(`mode.${here ? sensor.mode : "stored"}`)], [t("sensor.store"), store],
    [t("sensor.stream"), t(`stream.${now.state}`)], sensor.sources.length ? [t("sensor.sources"), sensor.sources.map((source) => source.split("/").pop()).join(", "), sensor.sources.join("\n")] : null]));
  if (!capture) return put(main, about, mainPanel(t("sensor.trust"), null, h("p", { class: "empty" }, t("card.sight_not_known.detail"))));
  return put(main, trust(capture), about, taps(capture), h("div", { class: "halves" }, refusals(capture), limits(capture)), interfaces(capture), files(capture), panel(t("sensor.detectors"), t("sensor.detectors.n", { n: count(kinds.length) }), kinds.map(judgedBy)));
}

function trust(capture) {
  const refused = Object.values(capture.refused).reduce((sum, n) => sum + n, 0);
  const unnumbered = capture.taps.filter((tap) => !numbered(tap) && !tap.lost).length;
  const doubts = [
    capture.mirror.lost && t("trust.lost", { n: count(capture.mirror.lost), share: share(capture.mirror.lost / (capture.packets + capture.mirror.lost)) }),
    unnumbered && t("trust.unnumbered", { n: count(unnumbered), all: count(capture.taps.length) }),
    capture.mirror.sampled_one_in && t("card.sampled", { n: count(capture.mirror.sampled_one_in) }),
    refused && t("trust.refused", { n: count(refused), share: share(refused / Math.max(1, capture.packets)) }),
    capture.flows_evicted && t("trust.evicted", { n: count(capture.flows_evicted) }),
    capture.ticks_widened && t("trust.widened", { n: count(capture.ticks_widened) }),
    capture.links_refused && t("trust.links_refused", { n: count(capture.links_refused) }),
    capture.files.some((file) => (file.damage || []).length) && t("trust.damage", { n: count(capture.files.filter((file) => (file.damage || []).length).length) }),
  ].filter(Boolean);
  const level = capture.mirror.lost || capture.files.some((file) => (file.damage || []).length) ? "warning" : doubts.length ? "info" : "ok";
  return h("section", { class: `panel edge ${level}` }, h("h1", null, glyph(level), " ", t(doubts.length ? "trust.limited" : "trust.whole")),
    doubts.length ? h("ul", { class: "plain" }, doubts.map((text) => h("li", null, text))) : h("p", { class: "dim" }, t("trust.whole.detail", { n: count(capture.packets) })),
    facts([[t("sight.frames"), count(capture.packets)], [t("sensor.wire"), bytes(capture.wire_bytes)], [t("sensor.captured"), bytes(capture.captured_bytes), t("sensor.captured.why")],
      [t("sight.duplicated"), count(capture.mirror.duplicated), t("sight.duplicated.why")], capture.first_ns ? [t("link.first"), full(big(capture.first_ns), 6)] : null, capture.last_ns ? [t("link.last"), full(big(capture.last_ns), 6)] : null]));
}

function taps({ taps: rows = [], mirror }) {
  const columns = [
    { label: t("mirror.tap"), class: "name", cell: (one) => h("span", { title: one.name }, one.name) }, { label: t("mirror.kind"), cell: (one) => t(`mirror.${one.mirror.kind}`) },
    { label: t("sight.frames"), num: true, cell: (one) => count(one.frames) },
    { label: t("sight.lost"), num: true, cell: (one) => (one.lost === 0 && !numbered(one) ? h("span", { class: "none help", title: t("why.not_numbered") }, "?") : h("span", { class: one.lost ? "warn" : "zero" }, count(one.lost))) },
    { label: t("tap.loss_share"), num: true, cell: (one) => (one.lost === 0 && !numbered(one) ? "" : share(one.lost / Math.max(1, one.frames + one.lost))) },
    { label: t("sight.truncated"), num: true, cell: (one) => h("span", { class: one.truncated ? null : "zero" }, count(one.truncated)) },
  ];
  return panel(t("tap.title"), mirror.sampled_one_in ? t("card.sampled", { n: count(mirror.sampled_one_in) }) : null, rows.length ? table(columns, rows, { caption: t("tap.title"), key: (one) => one.name }) : h("p", { class: "empty" }, t("tap.none")));
}

function refusals({ refused, packets }) {
  const rows = Object.entries(refused).sort((a, b) => b[1] - a[1]);
  return panel(t("refused.title"), t("refused.note"), rows.length ? table([
    { label: t("refused.reason"), cell: ([name]) => h("span", { class: "mono" }, name) }, { label: t("sight.frames"), num: true, cell: ([, n]) => count(n) }, { label: t("refused.share"), num: true, cell: ([, n]) => share(n / Math.max(1, packets)) },
  ], rows, { caption: t("refused.title"), key: ([name]) => name }) : h("p", { class: "empty" }, t("refused.none")));
}

function limits(capture) {
  const line = (name, value) => [h("dt", null, t(`limit.${name}`)), h("dd", { class: value ? "warn" : "zero" }, count(value || 0))];
  return panel(t("limit.title"), null, h("dl", { class: "numbers" }, line("flows_evicted", capture.flows_evicted), line("qps_evicted", capture.qps_evicted), line("links_refused", capture.links_refused), line("ticks_widened", capture.ticks_widened), Object.entries(capture.not_kept || {}).map(([what, n]) => line(`not_kept.${what}`, n))), h("p", { class: "small dim" }, t("limit.note")));
}

function files({ files: rows }) {
  if (!rows.length) return null;
  const columns = [
    { label: t("file.path"), class: "name", cell: (one) => h("span", { class: "mono", title: one.path }, one.path.split("/").pop()) }, { label: t("file.link_types"), cell: (one) => one.link_types.join(", ") }, { label: t("sight.frames"), num: true, cell: (one) => count(one.packets) },
    { label: t("file.bytes"), num: true, cell: (one) => bytes(one.bytes) }, { label: t("link.first"), cell: (one) => (one.first_ns ? full(big(one.first_ns), 6) : "–") },
    { label: t("file.damage"), class: "wide", cell: (one) => ((one.damage || []).length ? h("ul", { class: "plain warn" }, one.damage.map((text) => h("li", null, text))) : h("span", { class: "zero" }, t("file.whole"))) },
  ];
  return panel(t("file.title"), null, table(columns, rows, { caption: t("file.title"), key: (one) => one.path }));
}

// How interfaces are captured from, why not in a better way, and what was lost where on the way to the analysis.
function interfaces({ files: rows }) {
  const live = rows.filter((one) => one.live);
  if (!live.length) return null;
  const lost = (label, value) => ({ label: t(label), num: true, cell: (one) => h("span", { class: value(one.live) ? "warn" : "zero" }, count(value(one.live))) });
  const columns = [
    { label: t("interface.name"), class: "name", cell: (one) => h("span", { class: "mono" }, one.live.queue === undefined ? one.path : `${one.path} / ${one.live.queue}`) },
    { label: t("interface.mode"), cell: (one) => h("span", { title: [...(one.live.refused || []), ...(one.live.notes || [])].join("\n") }, one.live.mode) },
    { label: t("interface.state"), cell: (one) => h("span", { class: one.live.state === "up" ? null : "warn" }, t(`interface.${one.live.state}`)) },
    { label: t("sight.frames"), num: true, cell: (one) => count(one.packets) },
    lost("interface.ring", (one) => one.lost_in_ring), lost("interface.buffer", (one) => one.lost_without_buffer), lost("interface.kernel", (one) => one.lost_in_kernel), lost("interface.device", (one) => one.lost_by_interface),
    lost("interface.outages", (one) => one.outages), lost("interface.clock_steps", (one) => one.clock_steps),
  ];
  return panel(t("interface.title"), t("interface.note"), table(columns, live, { caption: t("interface.title"), key: (one) => `${one.path} ${one.live.queue}` }));
}
