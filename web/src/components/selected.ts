import { type Context, change } from "../context.ts";
import { formatCount, formatNumber, formatPercent, plural, shorten } from "../data/format.ts";
import { labelColors } from "../data/palette.ts";
import { accuracyOf, hitsOver, meanHit, mistakesOf } from "../data/selection-facts.ts";
import type { Study } from "../data/study.ts";
import { bdi, h, s } from "../dom.ts";
import { saveCsv } from "../export/selection.ts";
import type { ViewState } from "../state/view-state.ts";
import { placeName } from "./places.ts";
import { areNearOne, drawn, floorOf, spanOf } from "./scale.ts";
import { selectedColumns } from "./selected-columns.ts";

const SHOWN = 7;
const BRIEF = 3;
const MISTAKES = 4;
/** How many samples are shown, and how many more each time. */
const PICTURES = 24;
const WORDS = 6;

/** What is selected: how many, of which classes, how they fare, to be saved, compared or let go. */
export function selected(ctx: Context): HTMLElement {
  const { study, sprites } = ctx;
  const title = h("h2", {});
  const why = h("p", { class: "hint", dir: "auto", "data-testid": "found-by" });
  const bars = h("ul", { class: "mix", "data-testid": "class-mix" });
  const facts = h("div", { class: "selection-facts", "data-testid": "selection-facts" });
  const samples = h("ul", { class: "sample-grid", "data-testid": "selection-samples" });
  let all = false;
  let count = sprites ? PICTURES : WORDS;
  const more = button("selection-more", "", () => {
    count += sprites ? 4 * PICTURES : 4 * WORDS;
    draw();
  });
  const columns = selectedColumns(ctx);
  const details = h(
    "details",
    { class: "about-selection", "data-testid": "about-selection" },
    h("summary", {}, "How they fare"),
    facts,
    columns.element,
    samples,
    more,
  );
  // With a point held, there is room for either.
  ctx.onDestroy(
    ctx.store.watch(["focus"], ({ focus }) => {
      details.open = focus === null;
    }),
  );
  const against = button("selection-against", "", () => {
    const state = ctx.store.get();
    change(ctx, { against: state.against.length ? [] : state.selection });
  });
  const element = h(
    "section",
    { class: "selected", "aria-label": "Selection", "data-testid": "selection" },
    title,
    why,
    bars,
    details,
    h(
      "div",
      { class: "buttons" },
      button("export-selection", "Save as CSV", () => saveCsv(ctx)),
      button("show-only", "Show only these", () => {
        const { selection, find } = ctx.store.get();
        change(ctx, { only: selection, onlyBy: find, selection: [], find: "" });
      }),
      against,
      button("clear-selection", "Clear", () => change(ctx, { selection: [], find: "" })),
    ),
  );
  const openAll = () => {
    all = true;
    draw();
  };
  const draw = () => {
    const state = ctx.store.get();
    const { selection } = state;
    element.hidden = selection.length === 0;
    if (!selection.length) return;
    title.textContent = `${plural(selection.length, "point", "points")} selected`;
    why.hidden = !state.find;
    why.textContent = `Found by: ${state.find.replace(" @ ", ", at ")}`;
    if (study.values) bars.replaceChildren(h("li", { class: "hint" }, spread(study, selection)));
    else bars.replaceChildren(...mixRows(ctx, selection, all, openAll));
    facts.replaceChildren(...factsOf(ctx, state));
    columns.draw();
    samples.replaceChildren(...selection.slice(0, count).map((point) => sample(ctx, point)));
    more.hidden = selection.length <= count;
    more.textContent = `Show more of ${formatCount(selection.length)}`;
    against.textContent = state.against.length ? "End comparison" : "Compare with another";
    against.title = state.against.length
      ? ""
      : "Keep these points, to compare the next selection with them";
  };
  ctx.onDestroy(
    ctx.store.subscribe((now, before) => {
      if (now.selection === before.selection) return;
      all = false;
      count = sprites ? PICTURES : WORDS;
    }),
  );
  ctx.onDestroy(
    ctx.store.watch(["selection", "against", "find", "focus", "model", "layer", "epoch"], draw),
  );
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && draw()));
  return element;
}

function button(id: string, text: string, onclick: () => void): HTMLButtonElement {
  return h("button", { type: "button", "data-testid": id, onclick }, text);
}

function mixRows(ctx: Context, selection: number[], all: boolean, open: () => void): HTMLElement[] {
  const mix = classMix(ctx.study, selection);
  const colors = labelColors(ctx.study.classNames.length, ctx.fleeting.get().dark);
  const most = mix[0]?.count ?? 1;
  // With a point held, there is room for fewer.
  const count = ctx.store.get().focus === null ? SHOWN : BRIEF;
  const shown = all ? mix : mix.slice(0, count);
  const rows = shown.map(({ class: index, count: points, share }) => {
    const bar = h("i", { class: "bar" });
    bar.style.background = colors[index] ?? "";
    bar.style.width = `${(100 * points) / most}%`;
    const percent = share < 0.005 ? "<1\u00a0%" : formatPercent(share, 0);
    return h(
      "li",
      {},
      h("span", { class: "name" }, bdi(ctx.study.labelNames[index] ?? String(index))),
      h("span", { class: "track" }, bar),
      h("span", { class: "count" }, `${formatCount(points)} · ${percent}`),
    );
  });
  const rest = mix.length - shown.length;
  if (rest) {
    const words = `and ${plural(rest, "more class", "more classes")}`;
    const opener = button("mix-more", words, open);
    opener.className = "link";
    rows.push(h("li", { class: "hint" }, opener));
  }
  return rows;
}

/** How the selected fare beside all, or beside the selection they are compared with. */
function factsOf(ctx: Context, state: ViewState): HTMLElement[] {
  const { study } = ctx;
  const { selection, against } = state;
  if (study.values) return [];
  const everyone = Array.from({ length: study.n }, (_, i) => i);
  const other = against.length ? against : everyone;
  const everyoneHere = study.payload.sampled ? "all shown" : "all";
  const heads = ["", "these", against.length ? "the others" : everyoneHere];
  const sides = [selection, other];
  const row = (name: string, cells: string[]) =>
    h("tr", {}, h("th", { scope: "row" }, name), ...cells.map((text) => h("td", {}, text)));
  const rows = [
    row(
      "Points",
      sides.map(({ length }) => formatCount(length)),
    ),
  ];
  const accuracies = sides.map((side) => accuracyOf(study, state, side));
  if (accuracies.some((value) => value !== null))
    rows.push(
      row(
        "Accuracy",
        accuracies.map((value) => formatPercent(value)),
      ),
    );
  const hits = sides.map((side) => meanHit(study, state, side));
  if (hits.some((value) => value !== null)) rows.push(row("NH here", hits.map(formatNumber)));
  if (against.length) {
    const before = new Set(against);
    const both = selection.filter((i) => before.has(i)).length;
    rows.push(row("In both", [formatCount(both), formatCount(both)]));
  }
  const head = heads.map((text) => (text ? h("th", { scope: "col" }, text) : h("td", {})));
  const table = h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows));
  return [table, ...mistakes(ctx, state), ...lines(ctx, state, other)];
}

function mistakes({ study }: Context, state: ViewState): HTMLElement[] {
  const all = mistakesOf(study, state, state.selection);
  if (!all.length) return [];
  const name = (index: number) => bdi(shorten(study.classNames[index] ?? "", 18));
  const items = all
    .slice(0, MISTAKES)
    .map(({ label, predicted, count }) =>
      h(
        "li",
        {},
        h("span", {}, name(label), " taken for ", name(predicted)),
        h("span", { class: "count" }, formatCount(count)),
      ),
    );
  const rest = all.length - items.length;
  if (rest > 0)
    items.push(
      h("li", { class: "hint" }, `and ${plural(rest, "other mistake", "other mistakes")}`),
    );
  return [h("h3", {}, "Mistakes"), h("ul", { class: "mistakes" }, ...items)];
}

const WIDTH = 240;
const HEIGHT = 56;
const RIM = 4;

/** NH of the selected over the layers, beside that of the others, as two small lines. */
function lines({ study }: Context, state: ViewState, other: number[]): HTMLElement[] {
  const [own, theirs] = [state.selection, other].map((side) => hitsOver(study, state, side));
  if (!own || !theirs || own.filter((value) => value !== null).length < 2) return [];
  const x = (at: number) => RIM + (at / (own.length - 1)) * (WIDTH - 2 * RIM);
  const known = [...own, ...theirs].filter((value) => value !== null);
  // Shares near 1 would be a flat line: they are drawn as the curves are.
  const errors = areNearOne(known);
  const scale = { errors, floor: floorOf(known) };
  const [low, high] = errors
    ? [drawn(Math.min(...known), scale), drawn(Math.max(...known), scale)]
    : [0, 1];
  const y = (value: number) =>
    HEIGHT - RIM - ((drawn(value, scale) - low) / (high - low || 1)) * (HEIGHT - 2 * RIM);
  const path = (values: (number | null)[]) =>
    values
      .map((value, at) => {
        if (value === null) return "";
        const begins = at === 0 || values[at - 1] === null;
        return `${begins ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      })
      .join("");
  const { names } = study.shortNames(state.model);
  const said = own.flatMap((value, at) =>
    value === null
      ? []
      : [
          `${names[at]} ${formatNumber(value)}, ${state.against.length ? "others" : "all"} ${formatNumber(theirs[at])}`,
        ],
  );
  const here = own[state.layer] ?? null;
  const svg = s(
    "svg",
    {
      class: "hit-lines",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": `Neighborhood Hit over the layers. ${said.join("; ")}`,
    },
    s("path", {
      class: "ground",
      d: `M${RIM} ${RIM}H${WIDTH - RIM}M${RIM} ${HEIGHT - RIM}H${WIDTH - RIM}`,
    }),
    s("path", { class: "theirs", d: path(theirs) }),
    s("path", { class: "own", d: path(own) }),
    here !== null && s("circle", { cx: x(state.layer).toFixed(1), cy: y(here).toFixed(1), r: 3.5 }),
  );
  const dashed = state.against.length ? "the others" : "all";
  return [
    h("h3", {}, `NH over the layers, ${errors ? `${spanOf(known)}, log of errors` : "0 to 1"}`),
    h("div", {}, svg),
    h("p", { class: "hint", dir: "auto" }, `Dashed: ${dashed}. Dot: ${placeName(study, state)}.`),
  ];
}

function sample(ctx: Context, point: number): HTMLElement {
  const { study, sprites } = ctx;
  const snippet = study.payload.snippets?.[point];
  const name = study.labelName(point);
  const words = snippet ?? `#${study.sampleOf(point)}, ${name}`;
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        title: `Sample ${study.sampleOf(point)}, ${name}: hold this point`,
        "data-testid": `selected-${point}`,
        onclick: () => {
          change(ctx, { focus: point });
          ctx.reveal(point);
        },
      },
      sprites?.thumb(point, 36) ?? h("span", { class: "snippet" }, bdi(shorten(words, 60))),
      sprites && h("span", { class: "spoken" }, `Sample ${study.sampleOf(point)}, ${name}`),
    ),
  );
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
