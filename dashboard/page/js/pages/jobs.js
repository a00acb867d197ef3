// Training jobs: who trains together, how long a step takes, who makes the others wait.

import { ask, inWindow } from "../api.js";
import { big, clock } from "../time.js";
import { bytes, count, duration, rate, share } from "../format.js";
import { css, facts, glyph, h, put, svg } from "../dom.js";
import { findingLink, learnLinks } from "../words.js";
import { href } from "../state.js";
import { t } from "../i18n.js";

const HOSTS_SHOWN = 64;
const STEPS_SHOWN = 30;

export const title = () => t("nav.jobs");
export async function load({ window, signal }) {
  const [jobs, findings, links] = await Promise.all([ask("jobs", {}, signal), ask("findings", { ...inWindow(window), limit: 1000 }, signal), ask("links", { ...inWindow(window), steps: 1, limit: 1000 }, signal)]);
  return { ...jobs, findings: findings.rows, links: links.rows };
}

export function draw(main, { known, rows, findings, links }, { id }) {
  learnLinks(links);
  const shown = id ? rows.filter((job) => job.id === id) : rows;
  put(main, shown.length ? [h("h1", { class: "offscreen" }, t("nav.jobs")), shown.map((one) => job(one, findings))] : h("section", { class: "panel" }, h("h1", null, t("nav.jobs")), h("p", { class: "empty" }, t(id && rows.length ? "jobs.no_such" : known ? "jobs.none" : "card.jobs_not_known.detail"))));
}

function job(one, findings) {
  const steps = one.steps || [];
  const spread = one.step_ns;
  const hosts = one.hosts || [];
  return h("section", { class: "panel", "data-job": one.id },
    h("header", null, h("h2", null, h("a", { href: href(`/jobs/${encodeURIComponent(one.id)}`) }, t("subject.job", { name: one.id }))), h("div", { class: "grow small dim" }, t("jobs.confidence", { share: share(one.confidence || 0) }))),
    facts([[t("jobs.hosts"), count(hosts.length)], [t("jobs.steps"), count(steps.length)], spread ? ["p50", duration(spread.p50), t("jobs.step_time")] : null, spread ? ["p99", duration(spread.p99), t("jobs.step_time")] : null,
      steps.length ? [t("jobs.communication"), duration(median(steps.map((step) => step.communication_ns || 0)))] : null]),
    steps.length > 1 ? [h("h3", null, t("jobs.step_time")), stepDots(steps), h("h3", null, t("jobs.last_steps", { n: Math.min(STEPS_SHOWN, steps.length - 1) })), stepStrip(steps)] : h("p", { class: "empty" }, t("jobs.no_steps")),
    paid(one, findings),
    h("div", { class: "halves" }, collectives(one), stragglers(one)),
    h("p", { class: "small dim mono" }, hosts.slice(0, HOSTS_SHOWN).join(" "), hosts.length > HOSTS_SHOWN ? ` … ${t("jobs.more_hosts", { n: count(hosts.length - HOSTS_SHOWN) })}` : ""));
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] || 0;

// One dot a step, with the median and three robust standard deviations. A step lasts until the next begins: it computes after it
// communicated. What is far beyond is drawn at the top, so that it does not flatten the rest.
function stepDots(steps) {
  const canvas = h("canvas", { class: "dots", role: "img", "aria-label": t("jobs.dots") });
  const starts = steps.map((step) => big(step.start_ns));
  const lengths = starts.slice(1).map((start, i) => Number(start - starts[i]));
  const usual = median(lengths);
  const sigma = 1.4826 * median(lengths.map((length) => Math.abs(length - usual)));
  const paint = () => {
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
    if (!width) return;
    [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d");
    const top = Math.min(Math.max(...lengths), Math.max(usual * 2, usual + 8 * sigma)) * 1.08 || 1;
    const y = (length) => Math.max(5 * scale, height - (length / top) * height);
    pen.fillStyle = css("--raised");
    pen.fillRect(0, y(usual + 3 * sigma), width, y(Math.max(0, usual - 3 * sigma)) - y(usual + 3 * sigma));
    pen.fillStyle = css("--edge");
    pen.fillRect(0, y(usual), width, scale);
    const span = Number(starts[starts.length - 1] - starts[0]) || 1;
    lengths.forEach((length, i) => {
      const far = sigma > 0 && length > usual + 3 * sigma;
      pen.fillStyle = css(far ? "--warning-fill" : "--p99");
      const x = (Number(starts[i] - starts[0]) / span) * (width - 8 * scale) + 4 * scale;
      pen.beginPath();
      if (far) pen.rect(x - 3 * scale, y(length) - 3 * scale, 6 * scale, 6 * scale);
      else pen.arc(x, y(length), 2.5 * scale, 0, 7);
      pen.fill();
    });
  };
  new ResizeObserver(paint).observe(canvas);
  const [first, last] = [clock(big(steps[0].start_ns), 1), clock(big(steps[steps.length - 1].end_ns), 1)];
  return h("figure", null, canvas, h("figcaption", { class: "small dim" }, h("span", null, first), h("span", null, t("jobs.dots_note", { usual: duration(usual), far: duration(usual + 3 * sigma) })), h("span", null, last)));
}

// The last steps as they came: communicates (filled), then computes until the next one begins.
function stepStrip(steps) {
  const last = steps.slice(-(STEPS_SHOWN + 1));
  const start = big(last[0].start_ns);
  const span = Number(big(last[last.length - 1].start_ns) - start) || 1;
  const share = (ns) => `${((100 * Number(ns - start)) / span).toFixed(3)}%`;
  const bar = (step) => ({ x: share(big(step.start_ns)), width: `${Math.max(0.15, (100 * Number(big(step.end_ns) - big(step.start_ns))) / span).toFixed(3)}%`, y: 2, height: 16, class: "communicates" });
  const picture = svg("svg", { class: "steps", role: "img", "aria-label": t("jobs.strip") }, last.slice(0, -1).map((step) => [
    svg("rect", { x: share(big(step.start_ns)), y: 2, width: "100%", height: 16, class: "computes" }), svg("rect", bar(step))]));
  return h("figure", null, picture, h("figcaption", { class: "small dim" }, h("span", null, clock(start, 3)), h("span", { class: "legend" }, h("span", null, h("i", { class: "i-communicates" }), t("jobs.communicates")), h("span", null, h("i", { class: "i-computes" }), t("jobs.computes"))), h("span", null, clock(big(last[last.length - 1].start_ns), 3))));
}

// What it pays for: findings that name it, dearest first.
function paid(one, findings) {
  const cost = (finding) => ((finding.jobs || []).find((job) => job.job === one.id) || { cost_ns_per_step: 0 }).cost_ns_per_step;
  const rows = findings.filter((finding) => finding.subject.job === one.id || (finding.jobs || []).some((job) => job.job === one.id)).sort((a, b) => cost(b) - cost(a));
  if (!rows.length) return null;
  return [h("h3", null, t("jobs.pays")), h("ul", { class: "plain" }, rows.slice(0, 8).map((finding) => h("li", null, glyph(finding.severity), " ", findingLink(finding), cost(finding) ? h("span", { class: "warn" }, ` ${t("jobs.cost", { cost: duration(cost(finding)) })}`) : null)))];
}

const RINGED = 16;
function collectives({ collectives: rows = [], parallelism = [] }) {
  const head = h("h3", null, t("jobs.collectives"));
  if (!rows.length) return h("div", null, head, h("p", { class: "empty" }, t("jobs.no_collectives")));
  const order = (one) => (one.hosts || []).slice(0, RINGED).join(one.kind === "ring_allreduce" ? " → " : " ") + ((one.hosts || []).length > RINGED ? " …" : "");
  const line = (one) => h("tr", null, h("td", null, t(`collective.${one.kind}`), one.complete === false ? h("span", { class: "tag", title: t("jobs.partly.why") }, t("jobs.partly")) : null), h("td", { class: "num", title: order(one) }, one.ranks && one.ranks !== one.hosts.length ? t("jobs.ranks", { seen: count(one.hosts.length), n: count(one.ranks) }) : count((one.hosts || []).length)),
    h("td", { class: "num" }, one.bytes ? bytes(one.bytes) : "–"), h("td", { class: "num" }, one.busbw_bps ? rate(one.busbw_bps) : "–"), h("td", { class: "num help", title: one.reason, lang: "en" }, one.confidence === undefined ? "" : share(one.confidence)));
  return h("div", null, head, h("table", null, h("caption", { class: "offscreen" }, t("jobs.collectives")), h("thead", null, h("tr", null, [t("col.kind"), t("jobs.hosts"), t("col.bytes"), t("jobs.busbw"), t("jobs.sure")].map((label, i) => h("th", { scope: "col", class: i ? "num" : null }, label)))), h("tbody", null, rows.slice(0, 50).map(line))),
    parallelism.length ? h("p", { class: "small dim" }, parallelism.map((one) => `${t(`parallel.${one.kind}`)}: ${count(one.hosts.length)}`).join(" · ")) : null);
}

function stragglers({ stragglers: rows = [] }) {
  if (!rows.length) return h("div", null, h("h3", null, t("jobs.stragglers")), h("p", { class: "empty" }, t("jobs.no_stragglers")));
  return h("div", null, h("h3", null, t("jobs.stragglers")), h("ul", { class: "plain" }, rows.map((one) => h("li", { class: "warn" }, h("span", { class: "mono" }, one.host), `: ${t(`cause.${one.cause}`)}`, one.share ? ` (${t("jobs.of_time", { share: share(one.share) })})` : ""))));
}
