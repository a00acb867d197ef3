// Training jobs: who trains together, how long a step takes, who makes the others wait.

import { ask } from "../api.js";
import { big, clock } from "../time.js";
import { bytes, count, duration, rate, share } from "../format.js";
import { css, facts, h, panel, put } from "../dom.js";
import { href } from "../state.js";
import { t } from "../i18n.js";

const HOSTS_SHOWN = 64;

export const title = () => t("nav.jobs");
export const load = ({ signal }) => ask("jobs", {}, signal);

export function draw(main, { known, rows }, { id }) {
  const shown = id ? rows.filter((job) => job.id === id) : rows;
  put(main, shown.length ? [h("h1", { class: "offscreen" }, t("nav.jobs")), shown.map(job)] : h("section", { class: "panel" }, h("h1", null, t("nav.jobs")), h("p", { class: "empty" }, t(id && rows.length ? "jobs.no_such" : known ? "jobs.none" : "card.jobs_not_known.detail"))));
}

function job(one) {
  const steps = one.steps || [];
  const spread = one.step_ns;
  const hosts = one.hosts || [];
  return h("section", { class: "panel", "data-job": one.id },
    h("header", null, h("h2", null, h("a", { href: href(`/jobs/${encodeURIComponent(one.id)}`) }, t("subject.job", { name: one.id }))), h("div", { class: "grow small dim" }, t("jobs.confidence", { share: share(one.confidence || 0) }))),
    facts([[t("jobs.hosts"), count(hosts.length)], [t("jobs.steps"), count(steps.length)], spread ? ["p50", duration(spread.p50), t("jobs.step_time")] : null, spread ? ["p99", duration(spread.p99), t("jobs.step_time")] : null,
      steps.length ? [t("jobs.communication"), duration(median(steps.map((step) => step.communication_ns || 0)))] : null]),
    steps.length > 1 ? stepDots(steps) : h("p", { class: "empty" }, t("jobs.no_steps")),
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

function collectives({ collectives: rows = [] }) {
  if (!rows.length) return h("div", null, h("h3", null, t("jobs.collectives")), h("p", { class: "empty" }, t("jobs.no_collectives")));
  const line = (one) => h("tr", null, h("td", null, t(`collective.${one.kind}`)), h("td", { class: "num" }, count((one.hosts || []).length)), h("td", { class: "num" }, one.bytes ? bytes(one.bytes) : "–"), h("td", { class: "num" }, one.busbw_bps ? rate(one.busbw_bps) : "–"));
  return h("div", null, h("h3", null, t("jobs.collectives")), h("table", null, h("caption", { class: "offscreen" }, t("jobs.collectives")), h("thead", null, h("tr", null, [t("col.kind"), t("jobs.hosts"), t("col.bytes"), t("jobs.busbw")].map((label, i) => h("th", { scope: "col", class: i ? "num" : null }, label)))), h("tbody", null, rows.slice(0, 50).map(line))));
}

function stragglers({ stragglers: rows = [] }) {
  if (!rows.length) return h("div", null, h("h3", null, t("jobs.stragglers")), h("p", { class: "empty" }, t("jobs.no_stragglers")));
  return h("div", null, h("h3", null, t("jobs.stragglers")), h("ul", { class: "plain" }, rows.map((one) => h("li", { class: "warn" }, h("span", { class: "mono" }, one.host), `: ${t(`cause.${one.cause}`)}`, one.share ? ` (${t("jobs.of_steps", { share: share(one.share) })})` : ""))));
}
