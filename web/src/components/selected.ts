import { type Context, change } from "../context.ts";
import { formatCount, formatNumber, formatPercent, plural } from "../data/format.ts";
import { labelColors } from "../data/palette.ts";
import type { Study } from "../data/study.ts";
import { bdi, h } from "../dom.ts";
import { saveCsv } from "../export/selection.ts";

const SHOWN = 7;

/** What a lasso caught: how many, of which classes, to be saved or let go. */
export function selected(ctx: Context): HTMLElement {
  const title = h("h2", {});
  const bars = h("ul", { class: "mix", "data-testid": "class-mix" });
  const element = h(
    "section",
    { class: "selected", "aria-label": "Selection", "data-testid": "selection" },
    title,
    bars,
    h(
      "div",
      { class: "buttons" },
      h(
        "button",
        { type: "button", "data-testid": "export-selection", onclick: () => saveCsv(ctx) },
        "Save as CSV",
      ),
      h(
        "button",
        {
          type: "button",
          "data-testid": "clear-selection",
          onclick: () => change(ctx, { selection: [] }),
        },
        "Clear",
      ),
    ),
  );
  const draw = () => {
    const { selection } = ctx.store.get();
    element.hidden = selection.length === 0;
    if (!selection.length) return;
    title.textContent = `${plural(selection.length, "point", "points")} selected`;
    const mix = classMix(ctx.study, selection);
    if (ctx.study.values) {
      bars.replaceChildren(h("li", { class: "hint" }, spread(ctx.study, selection)));
      return;
    }
    const colors = labelColors(ctx.study.classNames.length, ctx.fleeting.get().dark);
    const most = mix[0]?.count ?? 1;
    const rows = mix.slice(0, SHOWN).map(({ class: index, count, share }) => {
      const bar = h("i", { class: "bar" });
      bar.style.background = colors[index] ?? "";
      bar.style.width = `${(100 * count) / most}%`;
      return h(
        "li",
        {},
        h("span", { class: "name" }, bdi(ctx.study.labelNames[index] ?? String(index))),
        h("span", { class: "track" }, bar),
        h(
          "span",
          { class: "count" },
          `${formatCount(count)} · ${share < 0.005 ? "<1 %" : formatPercent(share, 0)}`,
        ),
      );
    });
    if (mix.length > SHOWN)
      rows.push(
        h(
          "li",
          { class: "hint" },
          `and ${plural(mix.length - SHOWN, "more class", "more classes")}`,
        ),
      );
    bars.replaceChildren(...rows);
  };
  ctx.onDestroy(ctx.store.watch(["selection"], draw));
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && draw()));
  return element;
}

/** "Values from 1.2 to 3.4, mean 2.1", of those that have one. */
function spread(study: Study, selection: number[]): string {
  const found = selection
    .map((i) => study.values?.[i] ?? Number.NaN)
    .filter((value) => !Number.isNaN(value));
  if (!found.length) return "None of them has a value.";
  let [low, high, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const value of found) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    sum += value;
  }
  const mean = formatNumber(sum / found.length);
  return `Values from ${formatNumber(low)} to ${formatNumber(high)}, mean ${mean}.`;
}

export interface Share {
  class: number;
  count: number;
  share: number;
}

/** The classes of a selection, the most frequent first. */
export function classMix(study: Study, selection: number[]): Share[] {
  const counts = new Map<number, number>();
  for (const i of selection) {
    const label = study.labels[i] as number;
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return [...counts]
    .map(([index, count]) => ({ class: index, count, share: count / selection.length }))
    .sort((a, b) => b.count - a.count || a.class - b.class);
}
