// Tables: sorting in the address, rows by keyboard, pages.

import { get, go, set } from "./state.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { t } from "./i18n.js";
import { row as moveRow } from "./keys.js";

// columns: { key (sort name; none: not sortable), label, title, num, class, cell(row) }
export function table(columns, rows, { sort, order, go: target, caption, key, sortName = "sort", orderName = "order" }) {
  const head = columns.map((column) => h("th", { class: [column.num ? "num" : "", column.class || ""].join(" ").trim() || null, scope: "col", title: column.title,
    "aria-sort": column.key && column.key === sort ? (order === "asc" ? "ascending" : "descending") : null },
  column.key ? sortButton(column, sort, order, sortName, orderName) : column.label));
  const body = rows.map((one) => {
    const to = target && target(one);
    return h("tr", to ? { "data-go": "", tabindex: "0", "data-key": `row-${key(one)}`, onclick: (event) => open(event, to), onkeydown: (event) => rowKey(event, to) } : null,
      columns.map((column) => h("td", { class: [column.num ? "num" : "", column.class || ""].join(" ").trim() || null }, column.cell(one))));
  });
  return h("div", { class: "scroll" }, h("table", null, h("caption", { class: "offscreen" }, caption), h("thead", null, h("tr", null, head)), h("tbody", null, body)));
}

function sortButton(column, sort, order, sortName, orderName) {
  const is = column.key === sort;
  const next = is ? (order === "asc" ? "desc" : "asc") : column.num ? "desc" : "asc";
  return h("button", { "data-key": `sort-${column.key}`, onclick: () => set({ [sortName]: column.key, [orderName]: next, offset: "" }) },
    column.label, h("span", { class: "arrow", "aria-hidden": "true" }, is ? (order === "asc" ? " ▲" : " ▼") : ""));
}

function open(event, to) {
  if (event.target.closest("a, button, input, summary") || String(getSelection())) return;
  if (typeof to === "function") to();
  else go(to);
}

function rowKey(event, to) {
  if (event.target !== event.currentTarget) return;
  if (event.key === "Enter") {
    event.preventDefault();
    if (typeof to === "function") to();
    else go(to);
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    moveRow(event.key === "ArrowDown" ? 1 : -1);
  }
}

// "101–200 of 10,000" with the ways on.
export function pages(data, limit) {
  const { total, offset } = data;
  if (total <= limit && offset === 0) return h("p", { class: "pages dim" }, t("table.all", { n: count(total) }));
  const last = Math.min(total, offset + data.rows.length);
  return h("div", { class: "pages" },
    h("button", { disabled: offset === 0, "data-key": "page-back", onclick: () => set({ offset: Math.max(0, offset - limit) || "" }) }, t("table.back")),
    h("span", { class: "dim" }, t("table.range", { from: count(total ? offset + 1 : 0), to: count(last), n: count(total) })),
    h("button", { disabled: last >= total, "data-key": "page-next", onclick: () => set({ offset: offset + limit }) }, t("table.next")));
}

let pending = null;
// Asks while one types, but not at every key.
export function searchField(label) {
  return h("input", { type: "search", "data-key": "search", placeholder: label, "aria-label": label, value: get("q"), spellcheck: "false", oninput: (event) => {
    clearTimeout(pending);
    pending = setTimeout(() => set({ q: event.target.value.trim().slice(0, 200), offset: "" }, { replace: true }), 250);
  } });
}

export function choice(name, label, options, key = name) {
  const select = h("select", { "aria-label": label, title: label, "data-key": key, onchange: (event) => set({ [name]: event.target.value, offset: "" }) },
    options.map(([value, text]) => h("option", { value, selected: get(name) === value }, text)));
  return select;
}

export function chip(name, text) {
  return h("span", { class: "chip" }, text, h("button", { "aria-label": t("filter.remove", { what: text }), "data-key": `chip-${name}`, onclick: () => set({ [name]: "", offset: "" }) }, "×"));
}

export function csv(columns, rows) {
  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    // A spreadsheet would run a cell that begins with one of these.
    const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  return [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, value]) => value(row)))].map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
}
