// A real Chromium, watched: every console error, failed script and forbidden inline code is kept and is a failure.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const root = new URL("../../", import.meta.url).pathname;
export const shots = `${process.env.CARGO_TARGET_DIR || `${root}target`}/screenshots`;
mkdirSync(shots, { recursive: true });

export const browser = await chromium.launch({
  executablePath: process.env.FABRICSCOPE_CHROMIUM || "/usr/bin/chromium",
  // Chromium refuses its sandbox to root, as which CI often runs.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});

// `expected`: console errors that the test brings about.
export async function open(url, { width = 1280, height = 900, zone = "Europe/Berlin", expected = /$^/, prepare, context } = {}) {
  const where = context || await browser.newContext({ viewport: { width, height }, locale: "en-US", timezoneId: zone, colorScheme: "dark" });
  if (prepare) await prepare(where);
  const page = await where.newPage();
  const errors = [];
  page.on("console", (message) => { if (message.type() === "error" && !expected.test(message.text())) errors.push(message.text()); });
  page.on("pageerror", (error) => errors.push(String(error.stack || error)));
  await page.goto(url);
  await ready(page);
  page.finish = async () => {
    assert.deepEqual(errors, [], "the console is silent");
    await (context ? page.close() : where.close());
  };
  return page;
}

// Drawn, with nothing under way.
export async function ready(page) {
  await page.waitForFunction(() => document.documentElement.dataset.ready === "1" && !document.querySelector("main[aria-busy]"), null, { timeout: 20000 });
}

export const text = (page, selector) => page.locator(selector).first().innerText().then((value) => value.replace(/\s+/g, " ").trim());

// The cell of a table by its column's head and by words of its row; with ^, by the words that it begins with.
export async function cell(page, row, column) {
  return page.evaluate(([row, column]) => {
    for (const table of document.querySelectorAll("main table")) {
      const heads = [...table.querySelectorAll("thead th")].map((head) => head.innerText.replace(/[▲▼]/g, "").trim());
      const at = heads.indexOf(column);
      const found = [...table.querySelectorAll("tbody tr")].find((one) => (row[0] === "^" ? one.innerText.trim().startsWith(row.slice(1)) : one.innerText.includes(row)));
      if (at >= 0 && found) return found.children[at].innerText.replace(/\s+/g, " ").trim();
    }
    return null;
  }, [row, column]);
}

export async function shot(page, name) {
  await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}
