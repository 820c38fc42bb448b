import { type Context, change } from "../context.ts";
import { formatCount, formatPercent, plural } from "../data/format.ts";
import { classColors } from "../data/palette.ts";
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
    const colors = classColors(ctx.study.classNames.length, ctx.fleeting.get().dark);
    const most = mix[0]?.count ?? 1;
    const rows = mix.slice(0, SHOWN).map(({ class: index, count, share }) => {
      const bar = h("i", { class: "bar" });
      bar.style.background = colors[index] ?? "";
      bar.style.width = `${(100 * count) / most}%`;
      return h(
        "li",
        {},
        h("span", { class: "name" }, bdi(ctx.study.classNames[index] ?? String(index))),
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
