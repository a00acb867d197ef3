// Both languages say everything, and say it with the same arguments.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

const folder = new URL("../page/js/", import.meta.url);
const languages = { en: (await import(new URL("lang/en.js", folder))).default, zh: (await import(new URL("lang/zh.js", folder))).default };

// English wording of a finding comes from its detector; a number's name from its parts; a unit as the detector gives it.
const ONE_SIDED = /^(do\.|n\.|unit\.|sign\.)/;
const keys = (words) => Object.keys(words).filter((key) => !ONE_SIDED.test(key)).sort();
const names = (value) => (value.match(/\{\w+\}/g) || []).sort();

test("languages have the same keys and the same arguments", () => {
  assert.deepEqual(keys(languages.zh), keys(languages.en));
  for (const key of keys(languages.en)) assert.deepEqual(names(languages.zh[key]), names(languages.en[key]), key);
});

test("every key that the page asks for exists", () => {
  const asked = new Set();
  for (const file of readdirSync(folder, { recursive: true }).map(String).filter((name) => name.endsWith(".js") && !name.startsWith("lang") && name !== "i18n.js")) {
    for (const [, key] of readFileSync(new URL(file, folder), "utf8").matchAll(/\b(?:t|parts)\("([^"]+)"/g)) asked.add(key);
  }
  assert.ok(asked.size > 200, `${asked.size} keys found`);
  const known = (key) => languages.en[key] !== undefined || languages.en[`${key}.other`] !== undefined;
  assert.deepEqual([...asked].filter((key) => !known(key)), []);
});
