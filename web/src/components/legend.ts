import { type Context, change } from "../context.ts";
import { formatCount, formatNumber, measureTitle, plural } from "../data/format.ts";
import type { Measure } from "../data/payload.ts";
import { bdi, h, press, s } from "../dom.ts";
import { type Coloring, type LegendEntry, coloring, countShown, shown } from "../map/coloring.ts";
import { markerIcon, markerOf } from "../map/markers.ts";
import { CONTOURED } from "../map/contours.ts";
import { DASHES, LINES } from "../map/overlay.ts";
import { quote } from "../state/search.ts";
import { type Overlay, type ViewState, columnIn, scoreOf } from "../state/view-state.ts";
import { type Trend, sparkline, trendOf } from "./sparkline.ts";

/** Names of more characters get a row of their own. */
const LONG = 9;
const MANY = 12;
/** More rows than this are found by a search, or by another order. */
const MOST = 100;

const ORDERS = {
  class: "in their order",
  name: "by name",
  points: "by points",
  low: "least score first",
  high: "greatest score first",
} as const;
type Order = keyof typeof ORDERS;

/** What the colors and lines mean, with the score of each class; classes can be shown alone. */
export function legend(ctx: Context): HTMLElement {
  const title = h("h2", {});
  const heads = h("p", { class: "heads" });
  const list = h("ul", { class: "entries", "data-testid": "legend" });
  const bar = h("div", { class: "value-bar", "data-testid": "value-bar" });
  const lines = h("ul", { class: "line-entries" });
  const hint = h("p", { class: "hint" });
  const more = h("p", { class: "hint", "data-testid": "legend-more" });
  const search = h("input", {
    type: "search",
    placeholder: "Find a class",
    "aria-label": "Find a class",
    "data-testid": "legend-search",
    oninput: () => draw(),
  });
  const order = h(
    "select",
    { "aria-label": "Order of the classes", "data-testid": "legend-order", onchange: () => draw() },
    ...Object.entries(ORDERS).map(([value, text]) => h("option", { value }, text)),
  );
  const tools = h("div", { class: "legend-tools" }, search, order);
  let lastTrend: { key: string; trend: Trend | null } | null = null;
  const trend = (state: ViewState, scored: ClassScores | null): Trend | null => {
    if (!scored) return null;
    const key = [scored.measure, state.model, state.epoch].join();
    if (lastTrend?.key !== key)
      lastTrend = { key, trend: trendOf(ctx.study, state, scored.measure) };
    return lastTrend.trend;
  };
  const draw = () => {
    const state = ctx.store.get();
    const { dark } = ctx.fleeting.get();
    const colors = coloring(ctx.study, state, dark);
    const entries = countShown(ctx.study, colors, state);
    const other = state.other && coloring(ctx.study, { ...state, ...state.other }, dark);
    const differ = other && other.title !== colors.title;
    title.textContent = differ ? `${colors.title} (left); ${other.title} (right)` : colors.title;
    const ofClasses = entries[0]?.class !== null;
    const scored = state.color === "class" ? scoresOfClasses(ctx, state) : null;
    const { ends } = colors;
    const many = (ofClasses || columnIn(state.color) !== null) && entries.length > 2 * MANY;
    heads.replaceChildren(
      scored && many && ofClasses ? h("span", {}, "over the layers") : "",
      h("span", {}, shown(ctx.study, state) ? "points shown" : "points"),
      scored ? h("span", { title: scored.title }, scored.short) : "",
    );
    const focused = (list.getRootNode() as Document).activeElement?.getAttribute("data-testid");
    // With two maps, the numbers of one of them would mislead.
    const uncounted =
      state.other !== null && state.color !== "class" && columnIn(state.color) === null;
    list.classList.toggle("uncounted", uncounted);
    heads.hidden = uncounted || ends !== null;
    list.classList.toggle("many", many);
    list.classList.toggle(
      "single",
      scored !== null ||
        many ||
        !ofClasses ||
        entries.some(({ label }) => [...label].length > LONG),
    );
    bar.hidden = !ends;
    if (ends) bar.replaceChildren(...gradient(colors, ends));
    tools.hidden = !many;
    search.placeholder = ofClasses ? "Find a class" : "Find a value";
    search.ariaLabel = search.placeholder;
    for (const option of order.options)
      option.hidden = !scored && (option.value === "low" || option.value === "high");
    const places = [...entries.keys()].filter((i) => !ends || entries[i]?.category !== undefined);
    const found = many
      ? sorted(
          places.filter((i) => matches(entries[i] as LegendEntry, search.value)),
          entries,
          order.value as Order,
          scored,
        )
      : places;
    const listed = found.slice(0, MOST);
    const over = many && ofClasses ? trend(state, scored) : null;
    const fresh = listed.map((i) => {
      const entry = entries[i] as LegendEntry;
      return entry.class === null
        ? category(ctx, colors, entry, entry.category ?? i)
        : item(ctx, entry, scored, over);
    });
    list.replaceChildren(...fresh);
    if (focused)
      list
        .querySelector<HTMLElement>(`[data-testid="${CSS.escape(focused)}"]`)
        ?.focus({ preventScroll: true });
    more.hidden = listed.length === places.length;
    more.textContent = told(listed.length, found.length, search.value, ofClasses);
    const count = state.classes?.length ?? ctx.study.classNames.length;
    lines.replaceChildren(...state.overlays.map((overlay) => line(overlay, count)));
    lines.hidden = !state.overlays.length;
    hint.hidden = entries.length < 2 || (ends !== null && !places.length);
    hint.replaceChildren(...directions(state, ofClasses));
  };
  ctx.onDestroy(
    ctx.store.watch(
      [
        ...(["model", "layer", "epoch", "other", "color", "overlays"] as const),
        ...(["shapes", "classes", "only", "measures"] as const),
      ],
      draw,
    ),
  );
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && draw()));
  return h(
    "section",
    { class: "legend", "aria-label": "Legend" },
    h("div", { class: "legend-head" }, title, heads),
    bar,
    tools,
    list,
    more,
    lines,
    hint,
  );
}

/** What a click does; where there are no keys to hold, nothing of them. */
function directions(state: ViewState, ofClasses: boolean): (Node | string)[] {
  const several = h("span", { class: "with-keys" }, " Ctrl-click for several.");
  if (!ofClasses) return ["Click a row to select its points.", several];
  return state.color === "prediction"
    ? ["Click a class to see the points labeled so.", several]
    : ["Click a class to see it alone.", several];
}

function told(listed: number, found: number, wanted: string, ofClasses: boolean): string {
  const [one, several] = ofClasses ? ["class", "classes"] : ["value", "values"];
  if (found > listed)
    return `${formatCount(listed)} of ${plural(found, one, several)}: search, or change the order, to see others.`;
  return wanted ? `${plural(found, one, several)} with “${wanted}”.` : "";
}

function matches({ label }: LegendEntry, wanted: string): boolean {
  return label.toLocaleLowerCase().includes(wanted.trim().toLocaleLowerCase());
}

/** The entries in the order that was chosen; those without a score last. */
export function sorted(
  places: number[],
  entries: LegendEntry[],
  order: Order,
  scored: Pick<ClassScores, "values"> | null,
): number[] {
  const entry = (i: number) => entries[i] as LegendEntry;
  const score = (i: number) => scored?.values[entry(i).class ?? -1] ?? null;
  const by: Record<Order, (a: number, b: number) => number> = {
    class: (a, b) => a - b,
    name: (a, b) => entry(a).label.localeCompare(entry(b).label, "en", { numeric: true }),
    points: (a, b) => entry(b).count - entry(a).count,
    low: (a, b) => (score(a) ?? Infinity) - (score(b) ?? Infinity),
    high: (a, b) => (score(b) ?? -Infinity) - (score(a) ?? -Infinity),
  };
  const wanted = (order === "low" || order === "high") && !scored ? "class" : order;
  return [...places].sort((a, b) => by[wanted](a, b) || a - b);
}

/** The colors of numbers from the least to the greatest, with these. */
function gradient(
  { colors: all, format = formatNumber, middle }: Coloring,
  [low, high]: [number, number],
): HTMLElement[] {
  const colors = all.slice(0, -1);
  const strip = h("i", { "aria-hidden": "true" });
  strip.style.background = `linear-gradient(to right, ${colors.join(", ")})`;
  const values = low === high ? [low] : [low, middle ?? (low + high) / 2, high];
  const ends = values.map((value) => h("span", {}, format(value)));
  return [strip, h("p", {}, ...ends)];
}

interface ClassScores {
  measure: string;
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
    return { measure: name, title, short: shortTitle(measure), values };
  }
  return null;
}

function shortTitle({ name, title }: Measure): string {
  return name === "neighborhood_hit" ? "NH" : name === "map_neighborhood_hit" ? "NH on map" : title;
}

function dotOf(color: string): HTMLElement {
  const dot = h("i", { class: "dot" });
  dot.style.background = color;
  return dot;
}

/** A row of what is no class, such as "wrong": a click selects its points. */
function category(
  ctx: Context,
  { categories }: Coloring,
  { label, color, count }: LegendEntry,
  index: number,
): HTMLElement {
  const button = h(
    "button",
    {
      type: "button",
      class: "entry",
      title: `Select these points: ${label}`,
      "data-testid": `category-${index}`,
      onclick: (event) => {
        const state = ctx.store.get();
        const { selection, color } = state;
        const { ctrlKey, metaKey, shiftKey } = event as MouseEvent;
        const points = shown(ctx.study, state) ?? [...categories.keys()];
        const found = points.filter((i) => categories[i] === index);
        const adds = ctrlKey || metaKey || shiftKey;
        const column = columnIn(color);
        const find = column !== null && !adds ? `${quote(column)} = ${quote(label)}` : "";
        change(ctx, { selection: adds ? [...selection, ...found] : found, find });
        ctx.announce(`${plural(ctx.store.get().selection.length, "point", "points")} selected`);
      },
    },
    dotOf(color),
    bdi(label),
    h("span", { class: "count" }, formatCount(count)),
  );
  button.disabled = count === 0;
  return h("li", {}, button);
}

function item(
  ctx: Context,
  { label, color, count, class: index }: LegendEntry,
  scored: ClassScores | null,
  trend: Trend | null,
): HTMLElement {
  const own = index ?? 0;
  const { classes, layer, shapes } = ctx.store.get();
  const button = h(
    "button",
    {
      type: "button",
      class: classes && !classes.includes(own) ? "entry off" : "entry",
      title: label,
      "data-testid": `legend-${own}`,
      onclick: (event) => {
        const { ctrlKey, metaKey, shiftKey } = event as MouseEvent;
        change(ctx, {
          classes: choose(ctx.store.get().classes, own, ctrlKey || metaKey || shiftKey),
        });
      },
    },
    shapes ? markerIcon(markerOf(own), color) : dotOf(color),
    bdi(label),
    trend && sparkline(trend, own, layer),
    h("span", { class: "count" }, formatCount(count)),
    scored &&
      h(
        "span",
        { class: "of-class", title: scored.title, "data-short": scored.short },
        formatNumber(scored.values[own]),
      ),
  );
  press(button, classes?.includes(own) ?? false);
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

function line(overlay: Overlay, classes: number): HTMLElement {
  const some = overlay === "contours" && classes > CONTOURED;
  const sample = s(
    "svg",
    { class: "line-sample", viewBox: "0 0 28 8", "aria-hidden": "true" },
    s("line", { x1: 0, y1: 4, x2: 28, y2: 4, "stroke-dasharray": DASHES[overlay] }),
  );
  const words = some
    ? `${LINES[overlay]}, for ${CONTOURED} of ${formatCount(classes)} classes`
    : LINES[overlay];
  return h("li", {}, sample, words);
}
