import { type Context, change } from "../context.ts";
import { plural } from "../data/format.ts";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";
import { shown } from "../map/coloring.ts";
import { className } from "./point-card.ts";

const NAMED = 4;

/** Says that not all points are shown, and takes it back. */
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
        onclick: () => change(ctx, { classes: null, only: [] }),
      },
      "Show all",
      icon("close"),
    ),
  );
  const draw = () => {
    const state = ctx.store.get();
    const points = shown(ctx.study, state);
    element.hidden = points === null;
    if (!points) return;
    const classes = state.classes ?? [];
    const names = classes.slice(0, NAMED).map((i) => className(ctx, i));
    const more = classes.length > NAMED ? `and ${classes.length - NAMED} more` : "";
    const by = state.onlyBy ? state.onlyBy.replace(" @ ", ", at ") : "what was selected";
    words.replaceChildren(
      "Only ",
      ...names,
      more,
      state.only.length ? h("bdi", {}, `${names.length ? " of " : ""}${by}`) : "",
      h("small", {}, ` ${plural(points.length, "point", "points")}`),
    );
  };
  ctx.onDestroy(ctx.store.watch(["classes", "only", "onlyBy"], draw));
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && draw()));
  return element;
}
