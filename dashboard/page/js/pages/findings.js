// Findings: what was judged, consequences folded under their cause.

import { ask, inWindow } from "../api.js";
import { big, clock } from "../time.js";
import { chip, choice, pages, searchField, table } from "../table.js";
import { count, duration, measured } from "../format.js";
import { findingHref, get } from "../state.js";
import { glyph, h, mainPanel, put } from "../dom.js";
import { kindName, learnLinks, linkName, subjectLink, titleOf } from "../words.js";
import { t } from "../i18n.js";

const LIMIT = 200;

export const title = () => t("nav.findings");

export async function load({ window, signal }) {
  const when = inWindow(window);
  const [findings, everything, links] = await Promise.all([
    ask("findings", { ...when, search: get("q"), kind: get("kind"), severity: get("severity"), state: get("state"), link: get("link"), sort: get("sort"), order: get("order"), limit: LIMIT, offset: get("offset") }, signal),
    ask("findings", { ...when, limit: 1 }, signal), ask("links", { ...when, steps: 1, limit: 1000 }, signal)]);
  return { findings, kinds: everything.kinds || [], links };
}

export function draw(main, { findings, kinds, links }) {
  learnLinks(links.rows);
  const tools = h("div", { class: "tools" }, searchField(t("findings.search")),
    choice("severity", t("col.severity"), ["", "critical", "warning", "info"].map((one) => [one, one ? t(`level.${one}`) : t("findings.any_severity")])),
    choice("kind", t("col.kind"), [["", t("findings.any_kind")], ...kinds.map((kind) => [kind, kindName(kind)])]),
    choice("state", t("col.state"), [["", t("findings.any_state")], ["open", t("finding.open")], ["closed", t("finding.closed")]]),
    get("link") ? chip("link", t("subject.link", { name: linkName(get("link")) })) : null);
  const filtered = ["q", "severity", "kind", "state", "link"].some((name) => get(name));
  const side = t("findings.counts", { critical: count(findings.counts ? findings.counts.critical : 0), warning: count(findings.counts ? findings.counts.warning : 0), info: count(findings.counts ? findings.counts.info : 0), open: count(findings.open || 0) });
  put(main, mainPanel(t("findings.title"), side, tools,
    findings.rows.length ? list(findings.rows) : h("p", { class: "empty" }, t(filtered ? "findings.no_match" : "findings.none")), pages(findings, LIMIT),
    findings.held > findings.looked_through ? h("p", { class: "small dim" }, t("findings.part", { n: count(findings.looked_through), all: count(findings.held) })) : null));
}

// In the order of severity a consequence stands under its cause; in any other order each stands for itself.
function ordered(rows) {
  if (get("sort") && get("sort") !== "severity") return rows.map((row) => [row, 0]);
  const ids = new Set(rows.map((row) => row.id));
  const under = (id, depth) => (depth > 8 ? [] : rows.filter((row) => row.cause === id).flatMap((row) => [[row, depth], ...under(row.id, depth + 1)]));
  return rows.filter((row) => !row.cause || !ids.has(row.cause)).flatMap((row) => [[row, 0], ...under(row.id, 1)]);
}

function list(rows) {
  const depth = new Map(ordered(rows).map(([row, n]) => [row.id, n]));
  const columns = [
    { key: "severity", label: t("col.severity"), cell: (one) => glyph(one.severity, true) },
    { label: t("col.finding"), class: "wide", cell: (one) => [depth.get(one.id) ? h("span", { class: `follows d${Math.min(3, depth.get(one.id))}`, title: t("finding.follows") }, "↳ ") : null, h("a", { href: findingHref(one.id), tabindex: "-1", title: one.explanation }, titleOf(one))] },
    { key: "kind", label: t("col.kind"), cell: (one) => h("span", { title: one.kind }, kindName(one.kind)) },
    { label: t("col.subject"), class: "name", cell: (one) => subjectLink(one.subject) },
    { key: "value", label: t("col.value"), num: true, cell: (one) => measured(one.value, one.unit) },
    { label: t("col.threshold"), num: true, cell: (one) => h("span", { class: "dim" }, measured(one.threshold, one.unit)) },
    { key: "since_ns", label: t("col.since"), num: true, cell: (one) => clock(big(one.since_ns), 3) },
    { label: t("col.lasted"), num: true, cell: (one) => (one.until_ns ? duration(big(one.until_ns) - big(one.since_ns)) : h("span", { class: "tag open" }, t("finding.open"))) },
    { label: t("col.cost"), num: true, cell: (one) => (one.jobs && one.jobs.length ? h("span", { class: "warn" }, one.jobs[0].cost_ns_per_step ? `${one.jobs[0].job}: ${duration(one.jobs[0].cost_ns_per_step)}` : h("span", { class: "none help", title: t("why.no_cost") }, one.jobs[0].job)) : "") },
  ];
  return table(columns, ordered(rows).map(([row]) => row), { sort: get("sort") || "severity", order: get("order") || "desc", caption: t("findings.title"), go: (one) => findingHref(one.id), key: (one) => one.id });
}
