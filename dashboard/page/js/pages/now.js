// The first page: is something wrong, is it the network, who pays?

import { ask, inWindow } from "../api.js";
import { count, duration, share } from "../format.js";
import { cannotKnow, glyph, h, panel, put } from "../dom.js";
import { against, explanationOf, findingLink, learnLinks, titleOf, whenOf } from "../words.js";
import { findingHref, href } from "../state.js";
import { linkTable, modeSwitch, STEPS } from "../linktable.js";
import { now } from "../live.js";
import { numbered } from "../taps.js";
import { parts, t } from "../i18n.js";

const LINKS_SHOWN = 24;
const KINDS_SHOWN = 8;
const FOLDED_SHOWN = 12;
const APPS_SHOWN = 6;
const JOBS_SHOWN = 8;
const TOUCHED_SHOWN = 4;

export const title = () => t("nav.now");

export async function load({ window, signal }) {
  const when = inWindow(window);
  const [verdict, links, findings, sensor, apps, jobs] = await Promise.all([
    ask("verdict", when, signal), ask("links", { ...when, steps: STEPS, limit: LINKS_SHOWN }, signal),
    ask("findings", { ...when, limit: 1000 }, signal), ask("sensor", {}, signal), mix(when, signal), ask("jobs", { steps: 0 }, signal),
  ]);
  return { verdict, links, findings, sensor, apps, jobs };
}

// The mix of apps adds up thousands of flows and changes slowly.
const MIX_EVERY_MS = 10000;
let mixed = { at: -Infinity, end: "", data: null };
async function mix(when, signal) {
  const end = now.tick && !now.tick.ended ? "" : `${when.from_ns} ${when.to_ns}`;
  if (mixed.end === end && performance.now() - mixed.at < MIX_EVERY_MS) return mixed.data;
  const data = await ask("apps", when, signal);
  mixed = { at: performance.now(), end, data };
  return data;
}

export function draw(main, data) {
  learnLinks(data.links.rows);
  put(main, verdict(data.verdict), h("div", { class: "split" },
    h("div", { class: "column" }, links(data), h("div", { class: "below" }, sight(data.sensor, data.verdict), apps(data.apps))), h("div", { class: "column" }, findings(data.findings), jobs(data.jobs, data.verdict.pays))));
}

function verdict({ cards, blame, pays, touched, jobs_known: jobs, links, links_active: active }) {
  const [network, job, own] = cards;
  const heavy = blame === "job" ? job : network;
  const level = heavy.case === "finding" ? heavy.level : blame === "unknown" ? "unknown" : own.case === "finding" || own.level === "warning" ? "info" : "ok";
  const wrong = heavy.case === "finding" ? h("a", { href: findingHref(heavy.finding.id), "data-key": "verdict-finding" }, titleOf(heavy.finding, heavy.link_name)) : t(`verdict.${heavy.case}`);
  return h("section", { class: "verdict", "aria-label": t("verdict.label") },
    h("h1", { class: level, id: "verdict" }, glyph(level), h("span", null, parts("verdict.sentence", { wrong, blame: t(`blame.${blame}`), pays: payText(pays, touched, jobs, blame) }))),
    h("div", { class: "cards" }, cards.map((card) => cardOf(card, { links, active }))));
}

function payText(pays, touched, jobs, blame) {
  if (pays.length) return t("pays.job", { job: pays[0].job, cost: duration(pays[0].cost_ns_per_step), more: pays.length > 1 ? t("pays.more", { n: pays.length - 1 }) : "" });
  if (jobs === null || jobs === undefined) return t("pays.unknown");
  if (jobs === 0) return t("pays.no_job");
  if (blame === "none") return t("pays.none");
  return touched.length ? t("pays.touched", { jobs: touched.slice(0, TOUCHED_SHOWN).join(", "), more: touched.length > TOUCHED_SHOWN ? t("pays.touched_more", { n: touched.length - TOUCHED_SHOWN }) : "" }) : t("pays.untouched");
}

function cardOf(card) {
  const said = { ...card.numbers };
  for (const [name, value] of Object.entries(said)) said[name] = name.endsWith("_ns") ? duration(value) : count(value);
  const found = card.case === "finding";
  return h("article", { class: `card ${card.level}`, "data-about": card.about },
    glyph(card.level),
    h("div", null, h("strong", null, found ? h("a", { href: findingHref(card.finding.id), "data-key": `card-${card.about}` }, titleOf(card.finding, card.link_name)) : t(`card.${card.case}`, said)),
      h("p", null, found ? explanationOf(card.finding) : t(`card.${card.case}.detail`, said), card.case.startsWith("sight") || card.case === "mirror_lost" ? sampled(card.numbers) : null),
      h("footer", null, h("span", { class: "tag" }, t(`about.${card.about}`)), found ? ` ${whenOf(card.finding)}` : null,
        card.more ? [" · ", h("a", { href: href("/findings") }, t("card.more", { n: card.more }))] : null)));
}

const sampled = (numbers) => (numbers.sampled_one_in ? ` ${t("card.sampled", { n: count(numbers.sampled_one_in) })}` : null);

function links({ links: data, findings }) {
  const more = data.total > data.rows.length;
  const side = [t("links.active", { active: count(data.active), n: count(data.links) }), " ", modeSwitch()];
  return panel(t("links.title"), side,
    data.rows.length ? linkTable(data, findings.rows, { sort: "worst", order: "desc" }) : h("p", { class: "empty" }, t("links.none")),
    more ? h("p", { class: "pages dim" }, t("table.first", { shown: count(data.rows.length), n: count(data.total) }), " ", h("a", { href: href("/links") }, t("links.all"))) : null);
}

// Consequences stand folded under their cause; what is open comes first.
function folded(rows) {
  const ids = new Set(rows.map((row) => row.id));
  const roots = rows.filter((row) => !row.cause || !ids.has(row.cause));
  const under = (id) => rows.filter((row) => row.cause === id).flatMap((row) => [row, ...under(row.id)]);
  const weight = ["critical", "warning", "info"];
  // A mild cause of something grave is grave.
  for (const root of roots) root.gravity = weight.find((severity) => [root, ...under(root.id)].some((row) => row.severity === severity));
  roots.sort((a, b) => weight.indexOf(a.gravity) - weight.indexOf(b.gravity) || Boolean(a.until_ns) - Boolean(b.until_ns) || (BigInt(a.since_ns) < BigInt(b.since_ns) ? -1 : 1));
  return roots.map((root) => [root, under(root.id).slice(0, 50)]);
}

// Each kind once, by its worst; the others of the kind under it: twenty lines that say the same hide the one that does not.
function byKind(all) {
  const kinds = new Map();
  for (const one of all) kinds.set(one[0].kind, [...(kinds.get(one[0].kind) || []), one]);
  return [...kinds.values()];
}

function findings(data) {
  const groups = byKind(folded(data.rows));
  const side = h("a", { href: href("/findings") }, t("findings.all", { n: count(data.total) }));
  return panel(t("findings.title"), data.total ? side : null,
    groups.length ? groups.slice(0, KINDS_SHOWN).map(findingItem) : h("p", { class: "empty" }, t("findings.none")),
    groups.length > KINDS_SHOWN ? h("p", { class: "pages dim" }, t("table.first", { shown: KINDS_SHOWN, n: count(groups.length) })) : null);
}

const line = (one) => h("p", { class: "small follow" }, glyph(one.severity), " ", findingLink(one), one.until_ns ? null : h("span", { class: "tag open" }, t("finding.open")));
const fold = (key, label, lines) => (lines.length ? h("details", { "data-key": key }, h("summary", { "data-key": `s-${key}` }, label), lines.slice(0, FOLDED_SHOWN).map(line),
  lines.length > FOLDED_SHOWN ? h("p", { class: "small follow" }, h("a", { href: href("/findings", { kind: lines[0].kind }) }, t("findings.all", { n: count(lines.length) }))) : null) : null);

function findingItem([[root, follow], ...same]) {
  return h("article", { class: "finding", "data-kind": root.kind },
    glyph(root.gravity),
    h("div", null, h("strong", null, findingLink(root)), root.until_ns ? null : h("span", { class: "tag open" }, t("finding.open")),
      h("p", { class: "small" }, explanationOf(root)),
      h("p", { class: "tiny dimmer" }, whenOf(root), " · ", against(root)),
      fold(`fold-${root.id}`, t("finding.consequences", { n: follow.length }), follow),
      fold(`same-${root.kind}`, t("finding.same", { n: same.length }), same.map(([one]) => one))));
}

// Who trains here, and what each pays.
function jobs({ known, rows }, pays) {
  if (!rows.length) return panel(t("nav.jobs"), null, h("p", { class: "empty" }, t(known ? "jobs.none" : "card.jobs_not_known.detail")));
  const cost = (job) => (pays || []).find((one) => one.job === job.id);
  const costly = rows.toSorted((a, b) => (cost(b)?.cost_ns_per_step || 0) - (cost(a)?.cost_ns_per_step || 0));
  return panel(t("nav.jobs"), h("a", { href: href("/jobs") }, t("jobs.all", { n: count(rows.length) })), h("table", { class: "mix" }, h("caption", { class: "offscreen" }, t("nav.jobs")),
    h("thead", null, h("tr", null, ["subject.job.column", "jobs.hosts", "jobs.step.column", "jobs.loses"].map((key, i) => h("th", { class: i ? "num" : null, scope: "col" }, t(key))))),
    h("tbody", null, costly.slice(0, JOBS_SHOWN).map((job) => h("tr", null,
      h("td", null, h("a", { href: href(`/jobs/${encodeURIComponent(job.id)}`) }, job.id), h("div", { class: "tiny dimmer" }, [...new Set(job.collectives.map((one) => one.kind))].slice(0, 2).join(", "))),
      h("td", { class: "num" }, count(job.hosts.length)), h("td", { class: "num" }, job.step_ns ? duration(job.step_ns.p50) : "–"),
      h("td", { class: "num" }, cost(job)?.cost_ns_per_step ? h("span", { class: "warn" }, duration(cost(job).cost_ns_per_step)) : h("span", { class: "none help", title: t("why.no_cost") }, "–")))))));
}

// What runs here, in one line each.
function apps({ rows, total }) {
  const all = rows.reduce((sum, row) => sum + row.bytes, 0);
  if (!all) return panel(t("flows.mix"), null, h("p", { class: "empty" }, t("flows.none")));
  const named = (row) => (row.app ? h("a", { href: href("/flows", { app: row.app }) }, row.app) : h("span", { class: "none help", title: t("why.no_app") }, t("app.unknown")));
  return panel(t("flows.mix"), h("a", { href: href("/flows") }, t("flows.n", { n: count(total) })), h("table", { class: "mix" }, h("caption", { class: "offscreen" }, t("flows.mix")), h("tbody", null, rows.slice(0, APPS_SHOWN).map((row) => h("tr", null,
    h("td", null, named(row)), h("td", { class: "bar" }, h("span", { class: row.app ? "fill" : "fill hatch", style: { width: `${Math.max(0.5, (100 * row.bytes) / all)}%` } })), h("td", { class: "num" }, share(row.bytes / all)))))));
}

// What we could not see limits every judgement above.
function sight({ capture, store }, { cards }) {
  const own = cards[2];
  if (!capture) return panel(t("sight.title"), null, h("p", { class: "empty" }, t("card.sight_not_known.detail")), h("p", { class: "small dim" }, store));
  const refused = Object.values(capture.refused).reduce((sum, n) => sum + n, 0);
  const { mirror } = capture;
  // Nothing counted and nothing that could be counted are not the same.
  const blind = mirror.lost === 0 && !capture.taps.some(numbered);
  const number = (name, value, why) => h("div", { title: why }, h("dt", null, t(`sight.${name}`)), h("dd", { class: value ? null : "zero" }, count(value)));
  return panel(t("sight.title"), h("a", { href: href("/sensor") }, t("sight.more")),
    own.case === "finding" ? h("p", { class: "small" }, glyph(own.level), " ", findingLink(own.finding)) : null,
    h("dl", { class: "facts tight" }, number("frames", capture.packets), blind ? h("div", null, h("dt", null, t("sight.lost")), h("dd", null, cannotKnow(t("why.not_numbered")))) : number("lost", mirror.lost, t("sight.lost.why")), number("refused", refused, t("sight.refused.why")), number("truncated", mirror.truncated, t("sight.truncated.why")),
      number("duplicated", mirror.duplicated, t("sight.duplicated.why")), number("evicted", capture.flows_evicted, t("sight.evicted.why"))));
}
