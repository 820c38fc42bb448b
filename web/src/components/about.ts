import type { Context } from "../context.ts";
import { formatBytes } from "../data/format.ts";
import { h } from "../dom.ts";
import { KEYS } from "./help.ts";

/** How to use the page, and how what it shows was made. */
export function about({ study, bytes }: Context): HTMLElement {
  const { settings, unknot } = study.payload;
  const size = bytes ? { "data of this page": formatBytes(bytes) } : {};
  const rows = flatten({ unknot, ...size, ...settings }).map(([key, value]) =>
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
