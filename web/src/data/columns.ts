import { formatNumber } from "./format.ts";
import { type Numbers, unpack, unpackFloats } from "./pack.ts";
import type { MetadataColumn } from "./payload.ts";

/** What is said where a value is missing. */
export const MISSING = "missing";

const BOOLEANS = ["false", "true"];
const DAY = 86_400_000;

/** One column of the metadata, decoded when first asked for. */
export class Column {
  readonly name: string;
  readonly kind: MetadataColumn["kind"];
  /** Texts longer than this are cut; null where none are. */
  readonly cut: number | null;
  private readonly entry: MetadataColumn;
  private decoded: { codes: Numbers | null; numbers: Float64Array | null } | null = null;
  private found: { ends: [number, number] | null; whole: boolean } | null = null;
  private frequent: Map<string, number> | null = null;

  constructor(entry: MetadataColumn) {
    this.entry = entry;
    this.name = entry.name;
    this.kind = entry.kind;
    this.cut = entry.cut ?? null;
  }

  /** Numbers, and dates as milliseconds since 1970; NaN where one is missing. */
  get numbers(): Float64Array | null {
    return this.decode().numbers;
  }

  /** Places in `names`; `names.length` where the value is missing. */
  get codes(): Numbers | null {
    return this.decode().codes;
  }

  /** What the codes stand for. */
  get names(): string[] {
    return this.kind === "boolean" ? BOOLEANS : (this.entry.categories ?? []);
  }

  get texts(): (string | null)[] | null {
    return this.entry.texts ?? null;
  }

  /** The least and the greatest number; null where there is none. */
  get ends(): [number, number] | null {
    return this.facts().ends;
  }

  /** How often each text occurs, the most frequent first. */
  get counts(): Map<string, number> {
    if (!this.frequent) {
      const counts = new Map<string, number>();
      for (const text of this.texts ?? [])
        if (text !== null) counts.set(text, (counts.get(text) ?? 0) + 1);
      this.frequent = new Map([...counts].sort((a, b) => b[1] - a[1]));
    }
    return this.frequent;
  }

  isMissing(point: number): boolean {
    const { codes, numbers } = this.decode();
    if (codes) return codes[point] === this.names.length;
    if (numbers) return Number.isNaN(numbers[point]);
    return (this.texts?.[point] ?? null) === null;
  }

  /** The value of a point in words. */
  words(point: number): string {
    if (this.isMissing(point)) return MISSING;
    const { codes, numbers } = this.decode();
    if (codes) return this.names[codes[point] as number] ?? "";
    if (numbers) return this.format(numbers[point] as number);
    return this.texts?.[point] ?? "";
  }

  /** A number of this column in words. */
  format(value: number): string {
    if (this.kind === "date") return formatDate(value, this.facts().whole);
    return this.facts().whole && Number.isInteger(value) ? plain(value) : formatNumber(value);
  }

  /** The value of a point as in a table of values: exact, and empty where it is missing. */
  cell(point: number): string | number {
    if (this.isMissing(point)) return "";
    const value = this.decode().numbers?.[point];
    if (value === undefined) return this.words(point);
    if (this.kind === "date") return formatDate(value, false).replace(" ", "T");
    return this.entry.floats?.dtype === "f32" ? shortest(value) : value;
  }

  /** A number as exact as the column's own are. */
  round(value: number): number {
    return this.entry.floats?.dtype === "f32" ? Math.fround(value) : value;
  }

  private decode(): { codes: Numbers | null; numbers: Float64Array | null } {
    this.decoded ??= decode(this.entry, this.names.length);
    return this.decoded;
  }

  /** Ends, and whether all numbers are whole, or all dates days. */
  private facts(): { ends: [number, number] | null; whole: boolean } {
    if (this.found) return this.found;
    let [low, high, whole] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true];
    const step = this.kind === "date" ? DAY : 1;
    for (const value of this.numbers ?? []) {
      if (Number.isNaN(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
      whole &&= value % step === 0;
    }
    this.found = { ends: low <= high ? [low, high] : null, whole };
    return this.found;
  }
}

function decode(
  { kind, codes: packed, floats, low = 0, step = 1, per = 1 }: MetadataColumn,
  names: number,
): { codes: Numbers | null; numbers: Float64Array | null } {
  if (floats) return { codes: null, numbers: unpackFloats(floats) };
  if (!packed) return { codes: null, numbers: null };
  const codes = unpack(packed);
  if (kind === "category" || kind === "boolean") {
    return { codes: Uint32Array.from(codes, (code) => (code ? code - 1 : names)), numbers: null };
  }
  const numbers = Float64Array.from(codes, (code) =>
    code ? (low + (code - 1) * step) / per : Number.NaN,
  );
  return { codes: null, numbers };
}

/** "2024-01-31", or with the time "2024-01-31 12:05:07". */
export function formatDate(time: number, days: boolean): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "n/a";
  const text = date.toISOString();
  return days ? text.replace(/T.*$/, "") : text.replace("T", " ").replace(/(\.000)?Z$/, "");
}

/** A whole number as it is: "2024" is no "2,024". */
function plain(value: number): string {
  return String(value).replace("-", "\u2212");
}

/** The number of fewest digits that has the same 32 bits: 0.1 in place of 0.10000000149011612. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const found = Number(value.toPrecision(digits));
    if (Math.fround(found) === Math.fround(value)) return found;
  }
  return value;
}
