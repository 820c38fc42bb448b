import type { Coords } from "../data/pack.ts";
import type { Point } from "../data/payload.ts";

/** The name of a class, in the square from -1 to 1. */
export interface Label {
  class: number;
  text: string;
  /** One of its points, where it is densest and least mixed with others. */
  at: Point;
  /** How many points it has: where there is no room for all names, those of most points stay. */
  count: number;
  /** Whether the points around are mostly of this class, more than by its share of all points. */
  firm: boolean;
}

const BINS = 32;
/** Three passes of a box this wide smooth as a bell does. */
const REACH = 2;
/** Most points around a name that are asked for their class. */
const AROUND = 24;
/** From 0, as many as by chance, to 1, only points of the class. */
const FIRM = 0.5;

/** Where each class is densest: its mean, or median, could lie between two pieces of it. */
export function labelsOf(
  coords: Coords,
  codes: ArrayLike<number>,
  names: string[],
  classes: number[] | null,
): Label[] {
  const wanted = new Uint8Array(names.length).fill(classes ? 0 : 1);
  for (const index of classes ?? []) wanted[index] = 1;
  const { starts, points } = byClass(codes, names.length);
  const cellOf = cellsOf(coords, BINS);
  const sum = new Float64Array(BINS * BINS);
  let all = 0;
  for (let i = 0; i < codes.length; i++) {
    if (!wanted[codes[i] as number]) continue;
    sum[cellOf[i] as number] = (sum[cellOf[i] as number] as number) + 1;
    all++;
  }
  const total = smooth(sum);
  const cells = new Cells(coords, codes, (code) => wanted[code] === 1);
  const grid = new Float64Array(BINS * BINS);
  return names.flatMap((name, index): Label[] => {
    const own = points.subarray(starts[index], starts[index + 1]);
    const count = own.length;
    if (!count || !wanted[index]) return [];
    const occupied: number[] = [];
    for (const i of own) {
      const cell = cellOf[i] as number;
      if (!grid[cell]) occupied.push(cell);
      grid[cell] = (grid[cell] as number) + 1;
    }
    const peak = center(grid, occupied, total);
    for (const cell of occupied) grid[cell] = 0;
    const point = nearestTo(peak, own, coords);
    const chance = count / all;
    const share = cells.share(point, Math.min(AROUND, Math.max(3, Math.ceil(count / 2))));
    const firm = chance === 1 || (share - chance) / (1 - chance) >= FIRM;
    const at: Point = [coords.x[point] as number, coords.y[point] as number];
    return [{ class: index, text: name.replace(/\s+/g, " ").trim(), at, count, firm }];
  });
}

/** Fewest points by which a class is named as well as by all of its points. */
const ENOUGH = 30;

/** Some of the points instead of all, to name the classes by: all where they are too few of a class. */
export function fewer(
  coords: Coords,
  codes: ArrayLike<number>,
  points: Uint32Array,
  classes: number,
): { coords: Coords; codes: ArrayLike<number> } {
  const present = new Uint8Array(classes);
  for (let i = 0; i < codes.length; i++) present[codes[i] as number] = 1;
  const some = Uint32Array.from(points, (point) => codes[point] as number);
  const counts = new Uint32Array(classes);
  for (const code of some) if (code < classes) counts[code] = (counts[code] as number) + 1;
  if (present.some((there, index) => there && (counts[index] as number) < ENOUGH))
    return { coords, codes };
  const of = (values: Float32Array) =>
    Float32Array.from(points, (point) => values[point] as number);
  return { coords: { ...coords, x: of(coords.x), y: of(coords.y) }, codes: some };
}

/** The points of each class one after the other, and where those of a class begin. */
function byClass(
  codes: ArrayLike<number>,
  classes: number,
): { starts: Uint32Array; points: Uint32Array } {
  const starts = new Uint32Array(classes + 1);
  let kept = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if (code >= classes) continue;
    starts[code + 1] = (starts[code + 1] as number) + 1;
    kept++;
  }
  for (let i = 1; i <= classes; i++) starts[i] = (starts[i] as number) + (starts[i - 1] as number);
  const next = starts.slice();
  const points = new Uint32Array(kept);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if (code >= classes) continue;
    points[next[code] as number] = i;
    next[code] = (next[code] as number) + 1;
  }
  return { starts, points };
}

function nearestTo([x, y]: Point, points: Uint32Array, coords: Coords): number {
  let [nearest, best] = [points[0] as number, Number.POSITIVE_INFINITY];
  for (const i of points) {
    const far = ((coords.x[i] as number) - x) ** 2 + ((coords.y[i] as number) - y) ** 2;
    if (far < best) [nearest, best] = [i, far];
  }
  return nearest;
}

/** Points by the cells of a grid, to ask those around one for their class. */
class Cells {
  private static readonly SIDE = 64;
  private readonly coords: Coords;
  private readonly codes: ArrayLike<number>;
  private readonly starts = new Uint32Array(Cells.SIDE ** 2 + 1);
  private readonly points: Uint32Array;

  constructor(coords: Coords, codes: ArrayLike<number>, shown: (code: number) => boolean) {
    this.coords = coords;
    this.codes = codes;
    const { starts } = this;
    const cells = cellsOf(coords, Cells.SIDE);
    for (let i = 0; i < codes.length; i++) {
      if (!shown(codes[i] as number)) continue;
      const after = (cells[i] as number) + 1;
      starts[after] = (starts[after] as number) + 1;
    }
    for (let i = 1; i < starts.length; i++)
      starts[i] = (starts[i] as number) + (starts[i - 1] as number);
    const next = starts.slice();
    this.points = new Uint32Array(starts.at(-1) ?? 0);
    for (let i = 0; i < codes.length; i++) {
      if (!shown(codes[i] as number)) continue;
      const cell = cells[i] as number;
      const at = next[cell] as number;
      this.points[at] = i;
      next[cell] = at + 1;
    }
  }

  /** Which share of so many points around one, or a few more, is of its class; itself is not counted. */
  share(point: number, wanted: number): number {
    const { SIDE } = Cells;
    const [column, row] = [
      bin(this.coords.x[point] as number, SIDE),
      bin(this.coords.y[point] as number, SIDE),
    ];
    for (let reach = 1; ; reach++) {
      let [own, seen] = [0, 0];
      const [left, right] = [Math.max(0, column - reach), Math.min(SIDE - 1, column + reach)];
      for (let y = Math.max(0, row - reach); y <= Math.min(SIDE - 1, row + reach); y++) {
        const end = this.starts[y * SIDE + right + 1] as number;
        for (let at = this.starts[y * SIDE + left] as number; at < end; at++) {
          const other = this.points[at] as number;
          if (other === point) continue;
          seen++;
          if (this.codes[other] === this.codes[point]) own++;
        }
      }
      if (seen >= wanted || reach >= SIDE) return seen ? own / seen : 1;
    }
  }
}

/** The cell of each point, in a grid of so many rows and columns. A loop takes a fifth of `from`. */
function cellsOf({ x, y }: Coords, bins: number): Uint16Array {
  const cells = new Uint16Array(x.length);
  for (let i = 0; i < cells.length; i++)
    cells[i] = bin(y[i] as number, bins) * bins + bin(x[i] as number, bins);
  return cells;
}

function bin(value: number, bins: number): number {
  return Math.min(bins - 1, Math.max(0, Math.floor(((value + 1) / 2) * bins)));
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

/** What three passes of the box make of a point, over this many cells and one fewer each time. */
const BELL = [19, 18, 15, 10, 6, 3, 1];
/** Of classes in fewer cells, the bells of these are added one by one, which takes less time. */
const SCATTERED = 110;

/** The middle of the cell where a class is densest, weighed by its share of all points there. */
function center(grid: Float64Array, cells: number[], total: Float64Array): Point {
  const whole = cells.length < SCATTERED ? null : smooth(grid);
  const dense = (cell: number) => {
    if (whole) return whole[cell] as number;
    const [x, y] = [cell % BINS, Math.floor(cell / BINS)];
    let sum = 0;
    for (const other of cells) {
      const [dx, dy] = [Math.abs((other % BINS) - x), Math.abs(Math.floor(other / BINS) - y)];
      sum += (grid[other] as number) * (BELL[dx] ?? 0) * (BELL[dy] ?? 0);
    }
    return sum;
  };
  let peak = cells[0] ?? 0;
  let most = -1;
  for (const cell of cells) {
    const weight = dense(cell) ** 2 / (total[cell] || 1);
    if (weight > most) [peak, most] = [cell, weight];
  }
  const middle = (bin: number) => ((bin + 0.5) / BINS) * 2 - 1;
  return [middle(peak % BINS), middle(Math.floor(peak / BINS))];
}
