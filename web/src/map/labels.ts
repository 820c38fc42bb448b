import { shorten } from "../data/format.ts";
import type { Coords } from "../data/pack.ts";
import type { Point } from "../data/payload.ts";
import { type Affine, toScreen } from "./geometry.ts";

/** The name of a class, in the square from -1 to 1. */
export interface Label {
  class: number;
  text: string;
  at: Point;
  /** How many points it has: where there is no room for all names, those of most points stay. */
  count: number;
}

const BINS = 32;
/** Three passes of a box this wide smooth as a bell does. */
const REACH = 2;
const LONGEST = 18;
/** About the size of a letter, for names that must not lie on each other. */
const LETTER = 8.4;
const LINE = 20;
const APART = 6;

/** Where each class is densest: its mean, or median, could lie between two pieces of it. */
export function labelsOf(
  coords: Coords,
  codes: ArrayLike<number>,
  names: string[],
  classes: number[] | null,
): Label[] {
  const grids = names.map(() => new Float64Array(BINS * BINS));
  const counts = new Uint32Array(names.length);
  const bin = (value: number) => Math.min(BINS - 1, Math.max(0, Math.floor(((value + 1) / 2) * BINS)));
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    const cell = bin(coords.y[i] as number) * BINS + bin(coords.x[i] as number);
    const grid = grids[code] as Float64Array;
    grid[cell] = (grid[cell] as number) + 1;
    counts[code] = (counts[code] as number) + 1;
  }
  const peaks = grids.map((grid) => centre(smooth(grid)));
  const best = new Float64Array(names.length).fill(Number.POSITIVE_INFINITY);
  const nearest = new Int32Array(names.length);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    const [x, y] = peaks[code] as Point;
    const far = ((coords.x[i] as number) - x) ** 2 + ((coords.y[i] as number) - y) ** 2;
    if (far >= (best[code] as number)) continue;
    best[code] = far;
    nearest[code] = i;
  }
  return names.flatMap((name, index): Label[] => {
    if (!counts[index] || (classes && !classes.includes(index))) return [];
    const point = nearest[index] as number;
    const at: Point = [coords.x[point] as number, coords.y[point] as number];
    return [{ class: index, text: shorten(name, LONGEST), at, count: counts[index] as number }];
  });
}

/** The labels for which there is room on the screen, those of most points first. */
export function roomFor(labels: Label[], affine: Affine): Label[] {
  const taken: [number, number, number][] = [];
  const order = [...labels].sort((a, b) => b.count - a.count || a.class - b.class);
  const kept = order.filter(({ text, at }) => {
    const [x, y] = toScreen(affine, at[0], at[1]);
    const half = ([...text].length * LETTER) / 2;
    if (taken.some(([u, v, w]) => Math.abs(x - u) < half + w + APART && Math.abs(y - v) < LINE)) return false;
    taken.push([x, y, half]);
    return true;
  });
  return kept.sort((a, b) => a.class - b.class);
}

function smooth(grid: Float64Array): Float64Array {
  let now = grid;
  for (let pass = 0; pass < 3; pass++) now = box(box(now, 1, BINS), BINS, 1);
  return now;
}

/** Sums over 2 * REACH + 1 cells along one axis. */
function box(grid: Float64Array, step: number, other: number): Float64Array {
  const out = new Float64Array(grid.length);
  for (let row = 0; row < BINS; row++) {
    for (let i = 0; i < BINS; i++) {
      let sum = 0;
      for (let j = Math.max(0, i - REACH); j <= Math.min(BINS - 1, i + REACH); j++) {
        sum += grid[row * other + j * step] as number;
      }
      out[row * other + i * step] = sum;
    }
  }
  return out;
}

function centre(grid: Float64Array): Point {
  let peak = 0;
  for (let i = 1; i < grid.length; i++) if ((grid[i] as number) > (grid[peak] as number)) peak = i;
  const middle = (bin: number) => ((bin + 0.5) / BINS) * 2 - 1;
  return [middle(peak % BINS), middle(Math.floor(peak / BINS))];
}
