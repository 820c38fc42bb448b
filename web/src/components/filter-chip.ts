import { type Context, change } from "../context.ts";
import { formatCount } from "../data/format.ts";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";
import { className } from "./point-card.ts";

const NAMED = 4;

/** Says that not all classes are shown, and takes it back. */
export function filterChip(ctx: Context): HTMLElement {
  const words = h("span", { class: "words" });
  const element = h(
    "div",
    { class: "filter-chip", "data-testid": "filter" },
    words,
    h(
      "button",
      {
        type: "button",
        "data-testid": "show-all",
        onclick: () => change(ctx, { classes: null }),
      },
      "Show all classes",
      icon("close"),
    ),
  );
  const draw = () => {
    const { classes } = ctx.store.get();
    element.hidden = classes === null;
    if (!classes) return;
    const count = classes.reduce((sum, i) => sum + (ctx.study.counts[i] ?? 0), 0);
    const names = classes.slice(0, NAMED).map((i) => className(ctx, i));
    const more = classes.length > NAMED ? `and ${classes.length - NAMED} more` : "";
    words.replaceChildren("Only ", ...names, more, h("small", {}, ` ${formatCount(count)} points`));
  };
  ctx.onDestroy(ctx.store.watch(["classes"], draw));
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && draw()));
  return element;
}
