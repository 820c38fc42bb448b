import { formatNumber } from "../data/format.ts";
import {
  classColors,
  correctColors,
  shareColors,
  unlabeledColor,
  valueColors,
} from "../data/palette.ts";
import { type Place, type Study, UNLABELED } from "../data/study.ts";
import { type ViewState, columnIn } from "../state/view-state.ts";
import { byColumn } from "./column-coloring.ts";

export interface LegendEntry {
  label: string;
  color: string;
  count: number;
  /** The class it stands for, where the colors are of classes. */
  class: number | null;
  /** The category of its points, where that is not its place in the list. */
  category?: number;
}

export interface Coloring {
  /** Index into `colors`, of every point. */
  categories: Uint16Array;
  colors: string[];
  title: string;
  entries: LegendEntry[];
  /** Whether the colors are those of the classes, as those of the shapes are. */
  ofClasses: boolean;
  /** Points to be drawn last, over the others; null where none matter more. */
  last: number[] | null;
  /** The least and the greatest number, where the colors are of numbers. */
  ends: [number, number] | null;
  /** What the color in the middle stands for. */
  middle?: number;
  /** A number of these in words. */
  format?: (value: number) => string;
}

type Wanted = Place & Pick<ViewState, "color">;

/** The color of every point and the legend that tells what it means. */
export function coloring(study: Study, state: Wanted, dark: boolean): Coloring {
  const { color, model, layer, epoch } = state;
  const fixed = color === "class" || columnIn(color) !== null;
  const moment = fixed ? "" : [model, epoch].join();
  const key = [color, dark, moment, color === "hit" ? layer : ""].join("|");
  const known = last.get(study) ?? new Map<string, Coloring>();
  last.set(study, known);
  const found = known.get(key) ?? makeColoring(study, state, dark);
  // Those of two maps are kept, on both grounds.
  known.delete(key);
  known.set(key, found);
  for (const old of [...known.keys()].slice(0, -KEPT)) known.delete(old);
  return found;
}

const last = new WeakMap<Study, Map<string, Coloring>>();
const KEPT = 4;

/** The same, made anew. */
export function makeColoring(study: Study, state: Wanted, dark: boolean): Coloring {
  const name = columnIn(state.color);
  const column = name === null ? null : study.column(name);
  if (column) return byColumn(column, study.n, dark);
  if (state.color === "class") {
    return study.values
      ? byValue(study, study.values, dark)
      : byClass(study, study.labels, "Class", dark);
  }
  if (state.color === "hit") {
    const native = study.hits(state);
    const hits = native ?? study.mapHits(state);
    if (!hits) return unknown(study, "Neighbors of the same class", dark);
    const where = native ? "in the representation" : "on the map";
    const { hitK, neighbors } = study.layer(state);
    const k = hitK ?? neighbors?.k ?? null;
    return byShare(study, hits, k, `Neighbors of the same class, ${where}`, dark);
  }
  const predictions = study.predictions(state);
  const title = state.color === "correct" ? "Prediction" : "Predicted class";
  if (!predictions) return unknown(study, title, dark);
  if (state.color === "correct") return byCorrect(study, predictions, title, dark);
  return byClass(study, predictions, title, dark);
}

/** All points in one color, where what they should be colored by is not known. */
function unknown(study: Study, title: string, dark: boolean): Coloring {
  const color = correctColors(dark).right;
  return {
    categories: new Uint16Array(study.n),
    colors: [color],
    title,
    entries: [{ label: "not known here", color, count: study.n, class: null }],
    ofClasses: false,
    last: null,
    ends: null,
  };
}

const STEPS = 64;
/** How many numbers a picture's legend names. */
const NAMED = 5;

/** By number, in steps too small to be told apart. */
function byValue(study: Study, values: Float64Array, dark: boolean): Coloring {
  const [low, high] = study.payload.values?.range ?? [0, 1];
  const scale = high > low ? (STEPS - 1) / (high - low) : 0;
  const colors = [...valueColors(STEPS), unlabeledColor(dark)];
  const categories = Uint16Array.from(values, (value) =>
    Number.isNaN(value) ? STEPS : Math.round((value - low) * scale),
  );
  const entries = Array.from({ length: NAMED }, (_, i): LegendEntry => {
    const share = i / (NAMED - 1);
    return {
      label: formatNumber(low + share * (high - low)),
      color: colors[Math.round(share * (STEPS - 1))] as string,
      count: 0,
      class: null,
    };
  });
  return {
    categories,
    colors,
    title: "Value",
    entries: [...entries, ...unlabeledEntry(study, dark)],
    ofClasses: false,
    last: where(categories, (c) => c < STEPS),
    ends: [low, high],
  };
}

/** What tells the gray of the unlabeled, if there are any. */
function unlabeledEntry(study: Study, dark: boolean): LegendEntry[] {
  const count = study.payload.unlabeled ?? 0;
  if (!count) return [];
  const color = unlabeledColor(dark);
  return [{ label: UNLABELED, color, count, class: null, category: STEPS }];
}

function byClass(study: Study, codes: ArrayLike<number>, title: string, dark: boolean): Coloring {
  const names = codes === study.labels ? study.labelNames : study.classNames;
  const classes = study.classNames.length;
  const colors = classColors(classes, dark);
  if (names.length > classes) colors.push(unlabeledColor(dark));
  const counts = count(codes, colors.length);
  const entries = names.map((label, i) => ({
    label,
    color: colors[i] as string,
    count: counts[i] as number,
    class: i,
  }));
  return {
    categories: Uint16Array.from(codes),
    colors,
    title,
    entries,
    ofClasses: true,
    // The unlabeled lie below the others.
    last: names.length > classes ? where(Uint16Array.from(codes), (c) => c < classes) : null,
    ends: null,
  };
}

/** Most neighbors that are counted one by one. */
const COUNTED = 12;
const BINS = 8;

function byShare(
  study: Study,
  shares: Float32Array,
  k: number | null,
  title: string,
  dark: boolean,
): Coloring {
  const counted = k !== null && k <= COUNTED && shares.every((s) => isWhole(s * k));
  const bins = counted ? k + 1 : BINS;
  const colors = shareColors(dark, bins);
  const gray = unlabeledEntry(study, dark).map((entry) => ({ ...entry, category: bins }));
  const categories = Uint16Array.from(shares, (s, i) => {
    if (gray.length && !study.isLabeled(i)) return bins;
    return counted ? Math.round(s * k) : Math.min(bins - 1, Math.floor(s * bins));
  });
  const counts = count(categories, bins);
  const percent = (i: number) => Math.round((100 * i) / bins);
  const entries = colors.map((color, i): LegendEntry => ({
    label: counted ? `${i} of ${k}` : `${percent(i)}–${percent(i + 1)} %`,
    color,
    count: counts[i] as number,
    class: null,
  }));
  return {
    categories,
    colors: [...colors, unlabeledColor(dark)],
    title,
    entries: [...entries, ...gray],
    ofClasses: false,
    last: where(categories, (c) => c < bins - 1),
    ends: null,
  };
}

function byCorrect(
  study: Study,
  predictions: ArrayLike<number>,
  title: string,
  dark: boolean,
): Coloring {
  const { right, wrong } = correctColors(dark);
  const gray = unlabeledEntry(study, dark).map((entry) => ({ ...entry, category: 2 }));
  const categories = Uint16Array.from(study.labels, (y, i) =>
    gray.length && !study.isLabeled(i) ? 2 : predictions[i] === y ? 0 : 1,
  );
  const counts = count(categories, 2);
  const entries = [
    { label: "correct", color: right, count: counts[0] as number, class: null },
    { label: "wrong", color: wrong, count: counts[1] as number, class: null },
    ...gray,
  ];
  return {
    categories,
    colors: [right, wrong, unlabeledColor(dark)],
    title,
    entries,
    ofClasses: false,
    last: where(categories, (c) => c === 1),
    ends: null,
  };
}

/** Shares are stored in 255 steps, which leaves this much room around whole numbers. */
function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) < 0.03;
}

function count(codes: ArrayLike<number>, length: number): number[] {
  const counts = new Array<number>(length).fill(0);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}

function where(codes: Uint16Array, test: (code: number) => boolean): number[] {
  const found: number[] = [];
  for (let i = 0; i < codes.length; i++) if (test(codes[i] as number)) found.push(i);
  return found;
}

/** The same legend, with how many of the shown points have each color. */
export function countShown(
  study: Study,
  { entries, categories, colors }: Coloring,
  state: Filter,
): LegendEntry[] {
  const points = shown(study, state);
  if (!points) return entries;
  const counts = count(
    points.map((i) => categories[i] as number),
    colors.length,
  );
  return entries.map((entry, i) => ({ ...entry, count: counts[entry.category ?? i] ?? 0 }));
}

/** Which points are shown. */
export type Filter = Pick<ViewState, "classes" | "only">;

/** Indices of the points that are shown, ascending; null for all. */
export function shown(study: Study, { classes, only }: Filter): number[] | null {
  const found = lastShown.get(study);
  if (found && found.classes === classes && found.only === only) return found.points;
  const points = pointsShown(study, classes, only);
  lastShown.set(study, { classes, only, points });
  return points;
}

const lastShown = new WeakMap<Study, Filter & { points: number[] | null }>();

function pointsShown(study: Study, classes: number[] | null, only: number[]): number[] | null {
  if (!classes && !only.length) return null;
  const wanted = classes && new Set(classes);
  const all = only.length ? only : Array.from({ length: study.n }, (_, i) => i);
  return wanted ? all.filter((i) => wanted.has(study.labels[i] as number)) : all;
}

/** The labels of the points that are shown, with a code beyond all for the others, and which to name. */
export function namedLabels(
  study: Study,
  state: Filter,
): { codes: ArrayLike<number>; classes: number[] | null } {
  const { labels, classNames } = study;
  if (!state.only.length) return { codes: labels, classes: state.classes };
  const codes = new Uint32Array(study.n).fill(classNames.length + 1);
  for (const i of state.only) codes[i] = labels[i] as number;
  return {
    codes,
    classes: state.classes ?? Array.from({ length: classNames.length + 1 }, (_, i) => i),
  };
}

/** Whether a point is shown. */
export function isShown(study: Study, state: Filter, point: number): boolean {
  const { classes, only } = state;
  if (classes && !classes.includes(study.labels[point] as number)) return false;
  return !only.length || includes(only, point);
}

/** Whether an ascending list has a number. */
function includes(values: number[], wanted: number): boolean {
  let [low, high] = [0, values.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = values[middle] as number;
    if (value === wanted) return true;
    if (value < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
