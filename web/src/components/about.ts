import type { Context } from "../context.ts";
import { h } from "../dom.ts";
import { KEYS } from "./help.ts";

/** How to use the page, and how what it shows was made. */
export function about({ study }: Context): HTMLElement {
  const { settings, unknot } = study.payload;
  const rows = flatten({ unknot, ...settings }).map(([key, value]) =>
    h("div", {}, h("dt", {}, key), h("dd", { dir: "auto" }, value)),
  );
  const keys = KEYS.map(([key, what]) =>
    h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)),
  );
  return h(
    "details",
    { class: "about", "data-testid": "about" },
    h("summary", {}, "Keys and settings"),
    h(
      "div",
      { class: "about-body" },
      h("div", {}, h("h3", {}, "Keys"), h("dl", { class: "pairs-list" }, ...keys)),
      h("div", {}, h("h3", {}, "Settings"), h("dl", { class: "pairs-list" }, ...rows)),
    ),
  );
}

/** Settings in settings by both their names. */
function flatten(settings: Record<string, unknown>): [string, string][] {
  return Object.entries(settings).flatMap(([key, value]): [string, string][] =>
    value && typeof value === "object" && !Array.isArray(value)
      ? Object.entries(value).map(([inner, part]) => [`${key}, ${inner}`, words(part)])
      : [[key, words(value)]],
  );
}

function words(value: unknown): string {
  if (value === null || value === undefined) return "none";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
