// What runs on the fabric: the mix of apps, and every flow.

import { ask, inWindow } from "../api.js";
import { bytes, count, share } from "../format.js";
import { chip, choice, pages, searchField } from "../table.js";
import { flowTable } from "../traffic.js";
import { get, href } from "../state.js";
import { h, mainPanel, panel, put } from "../dom.js";
import { learnLinks, linkName } from "../words.js";
import { t } from "../i18n.js";

const LIMIT = 100;
const MIX_SHOWN = 12;

export const title = () => t("nav.flows");

export async function load({ window, signal }) {
  const when = inWindow(window);
  const [flows, apps, links] = await Promise.all([
    ask("flows", { ...when, search: get("q"), link: get("link"), app: get("app"), sort: get("sort"), order: get("order"), limit: LIMIT, offset: get("offset") }, signal),
    ask("apps", { ...when, link: get("link") }, signal), ask("links", { ...when, steps: 1, limit: 1000 }, signal)]);
  return { flows, apps, links };
}

export function draw(main, { flows, apps, links }) {
  learnLinks(links.rows);
  const named = apps.rows.filter((row) => row.app);
  const tools = h("div", { class: "tools" }, searchField(t("flows.search")), choice("app", t("col.app"), [["", t("flows.any_app")], ...named.map((row) => [row.app, row.app])]),
    get("link") ? chip("link", t("subject.link", { name: linkName(get("link")) })) : null);
  const none = flows.total === 0 && (get("q") || get("app") || get("link")) ? t("flows.no_match") : t("flows.none");
  put(main, panel(t("flows.mix"), mixNote(apps), mix(apps)),
    mainPanel(t("nav.flows"), t("flows.n", { n: count(flows.total) }), tools, flows.rows.length ? flowTable(flows.rows, { sort: get("sort") || "bytes", order: get("order") || "desc" }) : h("p", { class: "empty" }, none), pages(flows, LIMIT)));
}

const mixNote = (apps) => (apps.total > apps.looked_through ? t("flows.mix_part", { n: count(apps.looked_through), all: count(apps.total) }) : t("flows.mix_all", { n: count(apps.total) }));

function mix({ rows }) {
  const total = rows.reduce((sum, row) => sum + row.bytes, 0);
  if (!total) return h("p", { class: "empty" }, t("flows.none"));
  const shown = rows.slice(0, MIX_SHOWN);
  const rest = rows.slice(MIX_SHOWN);
  if (rest.length) shown.push({ app: t("flows.rest", { n: rest.length }), flows: rest.reduce((sum, row) => sum + row.flows, 0), bytes: rest.reduce((sum, row) => sum + row.bytes, 0), other: true });
  const line = (row) => h("tr", null,
    h("td", null, row.other ? row.app : row.app ? h("a", { href: href("/flows", { app: row.app }) }, row.app) : h("span", { class: "none help", title: t("why.no_app") }, t("app.unknown"))),
    h("td", { class: "bar" }, h("span", { class: row.app ? "fill" : "fill hatch", style: { width: `${Math.max(0.2, (100 * row.bytes) / total)}%` } })),
    h("td", { class: "num" }, share(row.bytes / total)), h("td", { class: "num" }, bytes(row.bytes)), h("td", { class: "num dim" }, t("flows.n", { n: count(row.flows) })));
  return h("table", { class: "mix" }, h("caption", { class: "offscreen" }, t("flows.mix")), h("tbody", null, shown.map(line)));
}
