import { classColours, correctColours, shareColours } from "../data/palette.ts";
import type { Place, Study } from "../data/study.ts";
import type { ViewState } from "../state/view-state.ts";

export interface LegendEntry {
  label: string;
  colour: string;
  count: number;
  /** The class it stands for, where the colours are of classes. */
  class: number | null;
}

export interface Colouring {
  /** Index into `colours`, of every point. */
  categories: Uint16Array;
  colours: string[];
  title: string;
  entries: LegendEntry[];
  /** Whether the colours are those of the classes, as those of the shapes are. */
  ofClasses: boolean;
  /** Points to be drawn last, over the others; null where none matter more. */
  last: number[] | null;
}

type Wanted = Place & Pick<ViewState, "colour">;

/** The colour of every point and the legend that tells what it means. */
export function colouring(study: Study, state: Wanted, dark: boolean): Colouring {
  if (state.colour === "class") return byClass(study, study.labels, "Class", dark);
  if (state.colour === "hit") {
    const native = study.hits(state);
    const hits = native ?? study.mapHits(state);
    if (!hits) return unknown(study, "Neighbours of the same class", dark);
    const where = native ? "in the representation" : "on the map";
    const { hitK, neighbors } = study.layer(state);
    const k = hitK ?? neighbors?.k ?? null;
    return byShare(hits, k, `Neighbours of the same class, ${where}`, dark);
  }
  const predictions = study.predictions(state);
  const title = state.colour === "correct" ? "Prediction" : "Predicted class";
  if (!predictions) return unknown(study, title, dark);
  if (state.colour === "correct") return byCorrect(study, predictions, title, dark);
  return byClass(study, predictions, title, dark);
}

/** All points in one colour, where what they should be coloured by is not known. */
function unknown(study: Study, title: string, dark: boolean): Colouring {
  const colour = correctColours(dark).right;
  return {
    categories: new Uint16Array(study.n),
    colours: [colour],
    title,
    entries: [{ label: "not known here", colour, count: study.n, class: null }],
    ofClasses: false,
    last: null,
  };
}

function byClass(
  study: Study,
  codes: ArrayLike<number>,
  title: string,
  dark: boolean,
): Colouring {
  const colours = classColours(study.classNames.length, dark);
  const counts = count(codes, colours.length);
  const entries = study.classNames.map((label, i) => ({
    label,
    colour: colours[i] as string,
    count: counts[i] as number,
    class: i,
  }));
  return { categories: Uint16Array.from(codes), colours, title, entries, ofClasses: true, last: null };
}

/** Most neighbours that are counted one by one. */
const COUNTED = 12;
const BINS = 8;

function byShare(
  shares: Float32Array,
  k: number | null,
  title: string,
  dark: boolean,
): Colouring {
  const counted = k !== null && k <= COUNTED && shares.every((s) => isWhole(s * k));
  const bins = counted ? k + 1 : BINS;
  const colours = shareColours(dark, bins);
  const categories = Uint16Array.from(shares, (s) =>
    counted ? Math.round(s * k) : Math.min(bins - 1, Math.floor(s * bins)),
  );
  const counts = count(categories, bins);
  const percent = (i: number) => Math.round((100 * i) / bins);
  const entries = colours.map((colour, i) => ({
    label: counted ? `${i} of ${k}` : `${percent(i)}–${percent(i + 1)} %`,
    colour,
    count: counts[i] as number,
    class: null,
  }));
  return { categories, colours, title, entries, ofClasses: false, last: where(categories, (c) => c < bins - 1) };
}

function byCorrect(study: Study, predictions: ArrayLike<number>, title: string, dark: boolean): Colouring {
  const { right, wrong } = correctColours(dark);
  const categories = Uint16Array.from(study.labels, (y, i) => (predictions[i] === y ? 0 : 1));
  const counts = count(categories, 2);
  const entries = [
    { label: "correct", colour: right, count: counts[0] as number, class: null },
    { label: "wrong", colour: wrong, count: counts[1] as number, class: null },
  ];
  return {
    categories,
    colours: [right, wrong],
    title,
    entries,
    ofClasses: false,
    last: where(categories, (c) => c === 1),
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

/** The same legend, with how many of the shown points have each colour. */
export function countShown(study: Study, { entries, categories }: Colouring, classes: number[] | null): LegendEntry[] {
  const points = shown(study, classes);
  if (!points) return entries;
  const counts = count(points.map((i) => categories[i] as number), entries.length);
  return entries.map((entry, i) => ({ ...entry, count: counts[i] as number }));
}

/** Indices of the points of the shown classes; null for all. */
export function shown(study: Study, classes: number[] | null): number[] | null {
  if (!classes) return null;
  const wanted = new Set(classes);
  const found: number[] = [];
  for (let i = 0; i < study.n; i++) if (wanted.has(study.labels[i] as number)) found.push(i);
  return found;
}
