import { type Context, change } from "../context.ts";
import { formatCount, formatNumber, measureTitle } from "../data/format.ts";
import type { Measure } from "../data/payload.ts";
import { UNLABELED } from "../data/study.ts";
import { bdi, h, press, s } from "../dom.ts";
import { type LegendEntry, coloring, countShown } from "../map/coloring.ts";
import { DASHES, LINES } from "../map/overlay.ts";
import { type Overlay, type ViewState, scoreOf } from "../state/view-state.ts";

/** Names of more characters get a row of their own. */
const LONG = 9;
const MANY = 12;

/** What the colors and lines mean, with the score of each class; classes can be shown alone. */
export function legend(ctx: Context): HTMLElement {
  const title = h("h2", {});
  const heads = h("p", { class: "heads" });
  const list = h("ul", { class: "entries", "data-testid": "legend" });
  const bar = h("div", { class: "value-bar", "data-testid": "value-bar" });
  const lines = h("ul", { class: "line-entries" });
  const hint = h("p", { class: "hint" });
  const draw = () => {
    const state = ctx.store.get();
    const { dark } = ctx.fleeting.get();
    const colors = coloring(ctx.study, state, dark);
    const entries = countShown(ctx.study, colors, state.classes);
    const other = state.other && coloring(ctx.study, { ...state, ...state.other }, dark);
    const differ = other && other.title !== colors.title;
    title.textContent = differ ? `${colors.title} (left); ${other.title} (right)` : colors.title;
    const ofClasses = entries[0]?.class !== null;
    const scored = state.color === "class" ? scoresOfClasses(ctx, state) : null;
    heads.replaceChildren(
      h("span", {}, state.classes ? "points shown" : "points"),
      scored ? h("span", { title: scored.title }, scored.short) : "",
    );
    const focused = (list.getRootNode() as Document).activeElement?.getAttribute("data-testid");
    // With two maps, the numbers of one of them would mislead.
    const uncounted = state.other !== null && state.color !== "class";
    list.classList.toggle("uncounted", uncounted);
    heads.hidden =
      uncounted ||
      colors.ends !== null ||
      entries.length > 2 * MANY ||
      (!scored && entries.length > MANY);
    list.classList.toggle("many", entries.length > 2 * MANY);
    list.classList.toggle(
      "single",
      scored !== null || !ofClasses || entries.some(({ label }) => [...label].length > LONG),
    );
    const { ends } = colors;
    bar.hidden = !ends;
    if (ends) bar.replaceChildren(...gradient(colors.colors.slice(0, -1), ends));
    const listed = ends ? entries.filter(({ label }) => label === UNLABELED) : entries;
    list.replaceChildren(...listed.map((entry) => item(ctx, entry, scored)));
    if (focused) list.querySelector<HTMLElement>(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
    lines.replaceChildren(...state.overlays.map(line));
    lines.hidden = !state.overlays.length;
    hint.hidden = !ofClasses || entries.length < 2;
    hint.textContent =
      state.color === "prediction"
        ? "Click a class to see the points labeled so; Ctrl-click for several."
        : "Click a class to see it alone; Ctrl-click for several.";
  };
  ctx.onDestroy(
    ctx.store.watch(
      ["model", "layer", "epoch", "other", "color", "overlays", "classes", "measures"],
      draw,
    ),
  );
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && draw()));
  return h(
    "section",
    { class: "legend", "aria-label": "Legend" },
    h("div", { class: "legend-head" }, title, heads),
    bar,
    list,
    lines,
    hint,
  );
}

/** The colors of numbers from the least to the greatest, with these. */
function gradient(colors: string[], [low, high]: [number, number]): HTMLElement[] {
  const strip = h("i", { "aria-hidden": "true" });
  strip.style.background = `linear-gradient(to right, ${colors.join(", ")})`;
  const middle = formatNumber((low + high) / 2);
  const ends = [formatNumber(low), middle, formatNumber(high)].map((text) => h("span", {}, text));
  return [strip, h("p", {}, ...ends)];
}

interface ClassScores {
  title: string;
  short: string;
  values: (number | null)[];
}

/** Of the first measure shown that has a score for each class; with two maps there is no one layer. */
function scoresOfClasses({ study }: Context, state: ViewState): ClassScores | null {
  if (state.other) return null;
  for (const name of state.measures) {
    const measure = study.measure(name);
    const values = scoreOf(study, state, name)?.perClass;
    if (!measure || !values) continue;
    const title = `${measureTitle(measure, study.payload.measures)}, of each class`;
    return { title, short: shortTitle(measure), values };
  }
  return null;
}

function shortTitle({ name, title }: Measure): string {
  return name === "neighborhood_hit" ? "NH" : name === "map_neighborhood_hit" ? "NH on map" : title;
}

function item(
  ctx: Context,
  { label, color, count, class: index }: LegendEntry,
  scored: ClassScores | null,
): HTMLElement {
  const dot = h("i", { class: "dot" });
  dot.style.background = color;
  const amount = h("span", { class: "count" }, formatCount(count));
  if (index === null)
    return h("li", {}, h("span", { class: "entry" }, dot, h("span", {}, label), amount));
  const { classes } = ctx.store.get();
  const button = h(
    "button",
    {
      type: "button",
      class: classes && !classes.includes(index) ? "entry off" : "entry",
      title: label,
      "data-testid": `legend-${index}`,
      onclick: (event) => {
        const { ctrlKey, metaKey, shiftKey } = event as MouseEvent;
        change(ctx, {
          classes: choose(ctx.store.get().classes, index, ctrlKey || metaKey || shiftKey),
        });
      },
    },
    dot,
    bdi(label),
    amount,
    scored &&
      h(
        "span",
        { class: "of-class", title: scored.title, "data-short": scored.short },
        formatNumber(scored.values[index]),
      ),
  );
  press(button, classes?.includes(index) ?? false);
  return h("li", {}, button);
}

/** The classes shown once this one is clicked. */
export function choose(classes: number[] | null, index: number, several: boolean): number[] | null {
  if (several) {
    const now = classes ?? [];
    const next = now.includes(index) ? now.filter((i) => i !== index) : [...now, index];
    return next.length ? next.sort((a, b) => a - b) : null;
  }
  return classes?.length === 1 && classes[0] === index ? null : [index];
}

function line(overlay: Overlay): HTMLElement {
  const sample = s(
    "svg",
    { class: "line-sample", viewBox: "0 0 28 8", "aria-hidden": "true" },
    s("line", { x1: 0, y1: 4, x2: 28, y2: 4, "stroke-dasharray": DASHES[overlay] }),
  );
  return h("li", {}, sample, LINES[overlay]);
}
