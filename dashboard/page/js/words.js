// A finding in words: from its kind and numbers, in the language of the page.

import { h } from "./dom.js";
import { has, lang, t } from "./i18n.js";
import { findingHref, href, linkHref } from "./state.js";
import { big, clock } from "./time.js";
import { duration, measured } from "./format.js";

export const kindName = (kind) => (has(`kind.${kind}`) ? t(`kind.${kind}`) : kind);

export function subjectText(subject, name) {
  if (subject.qp) return t("subject.qp", { src: subject.qp.src, dst: subject.qp.dst, qp: hex(subject.qp.dst_qp) });
  if (subject.link) return t("subject.link", { name: name || linkName(subject.link) });
  if (subject.host) return t("subject.host", { name: subject.host });
  if (subject.job) return t("subject.job", { name: subject.job });
  if (subject.tap) return t("subject.tap", { name: subject.tap });
  return t("subject.fabric");
}

// What a list of links said of them; an id alone is shown as it is.
const names = new Map();
export const learnLinks = (rows) => rows.forEach((row) => names.set(row.link.id, row.link.name));
export const linkName = (id) => names.get(id) || id;

export const hex = (qp) => `0x${Number(qp).toString(16).padStart(6, "0")}`;

export function subjectLink(subject, name) {
  const text = subjectText(subject, name);
  if (subject.link) return h("a", { href: linkHref(subject.link) }, text);
  if (subject.job) return h("a", { href: href(`/jobs/${encodeURIComponent(subject.job)}`) }, text);
  if (subject.tap) return h("a", { href: href("/sensor") }, text);
  return text;
}

const says = (kind) => (has(`says.${kind}`) ? t(`says.${kind}`) : t("says.other", { kind }));

// "Link leaf0 → gpu-3 is congested: switches mark its packets"
export const titleOf = (finding, name) => t("finding.title", { subject: subjectText(finding.subject, name), says: says(finding.kind) });

export const against = (finding) => t("finding.against", { value: measured(finding.value, finding.unit), threshold: measured(finding.threshold, finding.unit) });

// English comes from the detector, which knows the names; other languages say the same from kind and numbers.
export const explanationOf = (finding) => (lang() === "en" ? finding.explanation : t("finding.explained", { title: titleOf(finding), against: against(finding), when: whenOf(finding) }));
export const adviceOf = (finding) => (lang() === "en" || !has(`do.${finding.kind}`) ? finding.advice : t(`do.${finding.kind}`));

export function whenOf(finding, digits = 1) {
  const since = big(finding.since_ns);
  const until = big(finding.until_ns);
  if (until === null) return t("finding.open_since", { since: clock(since, digits) });
  return t("finding.lasted", { since: clock(since, digits), lasted: duration(until - since) });
}

// What a packet shows, as its detector calls it.
export const signName = (what) => (has(`sign.${what}`) ? t(`sign.${what}`) : what);

// A number's name in words: its own, or its parts with what is an acronym written as one; the unit is said by the value.
const UNITS = new Set(["ns", "bps"]);
const ACRONYMS = new Set(["ce", "cnp", "rtt", "nak", "rnr", "icrc", "psn", "pfc", "bso", "ecn", "qp"]);
export function numberName(name) {
  if (has(`n.${name}`)) return t(`n.${name}`);
  const words = name.split("_").filter((word) => !UNITS.has(word)).map((word) => (ACRONYMS.has(word) ? word.toUpperCase() : word.replace(/^(\d+)(ms|us|s)$/, (whole, n, unit) => `${n} ${unit === "us" ? "µs" : unit}`)));
  const text = words.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export const findingLink = (finding, name) => h("a", { href: findingHref(finding.id), "data-key": `finding-${finding.id}` }, titleOf(finding, name));
