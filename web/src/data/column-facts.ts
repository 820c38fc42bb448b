import { type Column, MISSING } from "./columns.ts";

export interface Bar {
  label: string;
  /** Of the selected and of the rest, which share is here. */
  own: number;
  rest: number;
  /** How many of the selected. */
  count: number;
}

export interface ColumnFacts {
  column: Column;
  bars: Bar[];
  /** The ends of the bars of numbers, in words; null where bars have names. */
  ends: [string, string] | null;
  /** How different the two are: 0 for the same shares, to 1 for none in common. */
  distance: number;
}

/** Bars of numbers, and of names. */
const BINS = 20;
const NAMES = 6;

/** How the values of the selected points are spread beside those of the rest. */
export function columnFacts(column: Column, n: number, selection: number[]): ColumnFacts | null {
  const chosen = new Uint8Array(n);
  for (const point of selection) chosen[point] = 1;
  const others = n - selection.length;
  const sorted = binned(column, n);
  if (!sorted || !selection.length) return null;
  const { binOf, labels, ends } = sorted;
  const [own, rest] = [new Float64Array(labels.length), new Float64Array(labels.length)];
  for (let i = 0; i < n; i++) {
    const into = chosen[i] ? own : rest;
    const bin = binOf(i);
    into[bin] = (into[bin] as number) + 1;
  }
  const bars = labels.map((label, at): Bar => {
    const count = own[at] as number;
    return {
      label,
      own: count / selection.length,
      rest: others ? (rest[at] as number) / others : 0,
      count,
    };
  });
  const distance = others
    ? bars.reduce((sum, bar) => sum + Math.abs(bar.own - bar.rest), 0) / 2
    : 0;
  return { column, bars: ends ? bars : gathered(bars), ends, distance };
}

interface Binned {
  /** The last bin is of the missing. */
  binOf: (point: number) => number;
  labels: string[];
  ends: [string, string] | null;
}

function binned(column: Column, n: number): Binned | null {
  const { codes, names, numbers, ends } = column;
  if (codes) return { binOf: (i) => codes[i] as number, labels: [...names, MISSING], ends: null };
  if (numbers) {
    if (!ends) return null;
    const [low, high] = ends;
    const bins = high > low ? BINS : 1;
    const edge = (at: number) => column.format(low + ((high - low) * at) / bins);
    const labels = Array.from({ length: bins }, (_, at) => `${edge(at)} to ${edge(at + 1)}`);
    const binOf = (i: number) => {
      const value = numbers[i] as number;
      if (Number.isNaN(value)) return bins;
      return high > low ? Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins)) : 0;
    };
    return { binOf, labels: [...labels, MISSING], ends: [column.format(low), column.format(high)] };
  }
  // Texts that are all different have no shares to tell.
  const { counts, texts } = column;
  if (counts.size > n / 2) return null;
  const place = new Map([...counts.keys()].map((text, at) => [text, at]));
  const binOf = (i: number) => {
    const text = texts?.[i] ?? null;
    return text === null ? counts.size : (place.get(text) ?? counts.size);
  };
  return { binOf, labels: [...counts.keys(), MISSING], ends: null };
}

/** The bars in which the two differ most, and one of all others. */
function gathered(bars: Bar[]): Bar[] {
  const used = bars.filter(({ own, rest, label }) => label !== MISSING || own || rest);
  if (used.length <= NAMES) return used;
  const by = (bar: Bar) => Math.max(bar.own, bar.rest);
  const kept = new Set([...used].sort((a, b) => by(b) - by(a)).slice(0, NAMES - 1));
  const others = used.filter((bar) => !kept.has(bar));
  const sum = (of: (bar: Bar) => number) => others.reduce((total, bar) => total + of(bar), 0);
  const rest = {
    label: `${others.length} others`,
    own: sum((bar) => bar.own),
    rest: sum((bar) => bar.rest),
    count: sum((bar) => bar.count),
  };
  return [...used.filter((bar) => kept.has(bar)), rest];
}
