// Dark or light: the address first, then what was chosen before, then the system's.

import { get } from "./state.js";
import { remember, remembered } from "./i18n.js";

export function theme() {
  const asked = get("theme") || remembered("theme");
  if (asked === "dark" || asked === "light") return asked;
  return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
}

export function applyLook() {
  const is = theme();
  const changed = document.documentElement.dataset.theme !== is;
  document.documentElement.dataset.theme = is;
  if (get("theme")) remember("theme", is);
  return changed;
}
