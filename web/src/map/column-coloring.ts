import { type Column, MISSING } from "../data/columns.ts";
import { classColors, correctColors, unlabeledColor, valueColors } from "../data/palette.ts";
import type { Coloring, LegendEntry } from "./coloring.ts";

/** Colors of numbers. */
const STEPS = 64;
/** How many numbers a picture's legend names. */
const NAMED = 5;
/** Of texts so many have a color of their own. */
const TEXTS = 9;
/** Numbers beyond these shares have the color of the ends, where all would leave few colors for most. */
const [LOW, HIGH] = [0.01, 0.99];
const WIDE = 4;
/** Of numbers that are mostly in the lowest part of their range, the logarithm has the colors. */
const [SKEWED, MOSTLY] = [0.2, 0.7];

/** Every point in the color of its value in a column. */
export function byColumn(column: Column, n: number, dark: boolean): Coloring {
  const { codes, names, kind } = column;
  if (codes) {
    const colors = kind === "boolean" ? booleanColors(dark) : classColors(names.length, dark);
    return byCode(column.name, codes, names, colors, dark);
  }
  const { numbers } = column;
  if (numbers) return byNumber(column.name, numbers, (value) => column.format(value), dark);
  return byText(column, n, dark);
}

function booleanColors(dark: boolean): string[] {
  const { right, wrong } = correctColors(dark);
  return [right, wrong];
}

function byCode(
  title: string,
  codes: ArrayLike<number>,
  names: string[],
  colors: string[],
  dark: boolean,
): Coloring {
  const counts = new Array<number>(names.length + 1).fill(0);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    counts[code] = (counts[code] ?? 0) + 1;
  }
  const all = [...colors, unlabeledColor(dark)];
  const entries = [...names, MISSING].map((label, i): LegendEntry => ({
    label: label.trim() ? label : "(empty)",
    color: all[i] as string,
    count: counts[i] ?? 0,
    class: null,
  }));
  if (!counts[names.length]) entries.pop();
  const categories = Uint16Array.from(codes);
  return {
    categories,
    colors: all,
    title,
    entries,
    ofClasses: false,
    last: counts[names.length] ? known(categories, names.length) : null,
    ends: null,
  };
}

/** The points whose category is less than that of the missing: they are drawn over them. */
function known(categories: Uint16Array, missing: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < categories.length; i++)
    if ((categories[i] as number) < missing) found.push(i);
  return found;
}

/** The ends of the colors: the least and the greatest number, or where these are far from most, of most. */
export function endsOf(numbers: Float64Array): [number, number] {
  const sorted = numbers.filter((value) => !Number.isNaN(value)).sort();
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const [least, low, high, greatest] = [0, LOW, HIGH, 1].map(at) as [
    number,
    number,
    number,
    number,
  ];
  return high > low && greatest - least > WIDE * (high - low) ? [low, high] : [least, greatest];
}

function same(value: number): number {
  return value;
}

/** Whether most of the numbers, all above 0, are so near the least that they would have its color. */
function isSkewed(numbers: Float64Array, low: number, high: number): boolean {
  if (low <= 0) return false;
  const below = low + SKEWED * (high - low);
  let [all, near] = [0, 0];
  for (const value of numbers) {
    if (Number.isNaN(value)) continue;
    all++;
    if (value < below) near++;
  }
  return near > MOSTLY * all && high / low > 10;
}

function byNumber(
  title: string,
  numbers: Float64Array,
  words: (value: number) => string,
  dark: boolean,
): Coloring {
  const [low, high] = endsOf(numbers);
  const skewed = isSkewed(numbers, low, high);
  const [at, from] = skewed ? [Math.log, Math.exp] : [same, same];
  const span = at(high) - at(low);
  const share = (value: number) =>
    span > 0 ? Math.min(1, Math.max(0, (at(value) - at(low)) / span)) : 0;
  const colors = [...valueColors(STEPS), unlabeledColor(dark)];
  let [missing, beyondLow, beyondHigh] = [0, false, false];
  const categories = Uint16Array.from(numbers, (value) => {
    if (Number.isNaN(value)) {
      missing++;
      return STEPS;
    }
    beyondLow ||= value < low;
    beyondHigh ||= value > high;
    return Math.round(share(value) * (STEPS - 1));
  });
  const format = (value: number) => {
    const text = words(value);
    if (value === low && beyondLow) return `≤ ${text}`;
    return value === high && beyondHigh ? `≥ ${text}` : text;
  };
  const entries = Array.from({ length: NAMED }, (_, i): LegendEntry => {
    const part = i / (NAMED - 1);
    const value = i === 0 ? low : i === NAMED - 1 ? high : from(at(low) + part * span);
    const color = colors[Math.round(part * (STEPS - 1))] as string;
    return { label: format(value), color, count: 0, class: null };
  });
  const gray = { label: MISSING, color: unlabeledColor(dark), count: missing, class: null };
  return {
    categories,
    colors,
    title: skewed ? `${title} (log scale)` : title,
    entries: missing ? [...entries, { ...gray, category: STEPS }] : entries,
    ofClasses: false,
    last: missing ? known(categories, STEPS) : null,
    ends: [low, high],
    middle: from(at(low) + span / 2),
    format,
  };
}

/** The most frequent texts in colors of their own; where none occurs twice, by how long they are. */
function byText(column: Column, n: number, dark: boolean): Coloring {
  const texts = column.texts ?? [];
  const { counts } = column;
  const [most] = counts.values();
  if (most === 1 && n > 1) {
    const lengths = Float64Array.from(texts, (text) => (text === null ? Number.NaN : text.length));
    const unit = column.cut === null ? "" : `, at most ${column.cut}`;
    return byNumber(`${column.name}: characters${unit}`, lengths, String, dark);
  }
  const named = [...counts.keys()].slice(0, TEXTS);
  const place = new Map(named.map((text, i) => [text, i]));
  const others = counts.size > named.length;
  const names = others ? [...named, "other texts"] : named;
  const codes = texts.map((text) =>
    text === null ? names.length : (place.get(text) ?? named.length),
  );
  const gray = dark ? "#8b929a" : "#84898f";
  const colors = classColors(named.length, dark);
  return byCode(column.name, codes, names, others ? [...colors, gray] : colors, dark);
}
