import type { Context } from "../context.ts";
import { h } from "../dom.ts";

const KEYS: [string, string][] = [
  ["← →", "one layer back, one on"],
  ["space", "play, pause"],
  ["l", "lasso on or off (or hold Shift and drag)"],
  ["Ctrl, Alt", "held at the end of a lasso: add to the selection, take away"],
  ["Esc", "leave the lasso, let a point go, clear the selection, show all classes"],
];

/** How to use the page, and how what it shows was made. */
export function about({ study }: Context): HTMLElement {
  const { settings, unknot } = study.payload;
  const rows = flatten({ unknot, ...settings }).map(([key, value]) =>
    h("div", {}, h("dt", {}, key), h("dd", { dir: "auto" }, value)),
  );
  const keys = KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)));
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
