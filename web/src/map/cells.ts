import type { Coords, Numbers } from "../data/pack.ts";
import { channels, type Inks } from "./density.ts";
import { type Affine, place, toScreen } from "./geometry.ts";

/** How many of all samples lie in each cell of a grid on a map. */
export interface Cells {
  samples: number;
  size: number;
  xRange: [number, number];
  yRange: [number, number];
  /** For each entry its class, its cell and its count. */
  classes: Uint16Array;
  cells: Numbers;
  counts: Numbers;
}

/** What a picture of cells is of. */
export interface CellDensity {
  cells: Cells;
  coords: Coords;
  /** Of each class, then of the unlabeled. */
  colors: string[];
  /** The only classes that are shown; null for all. */
  only: readonly number[] | null;
}

/**
 * The cells in a view, each spread over what it covers there. Where a cell covers several pixels,
 * its count stands in each of them: looked at nearer, it is not less.
 */
export function inksOfCells(
  { cells, coords, colors, only }: CellDensity,
  affine: Affine,
  width: number,
  height: number,
  grain: number,
): Inks {
  const counts = new Float64Array(width * height);
  const sums = new Float64Array(3 * width * height);
  const inks = colors.map(channels);
  const columns = edges(cells.size, (share) =>
    inView(coords, affine, [between(cells.xRange, share), 0], 0, grain),
  );
  const rows = edges(cells.size, (share) =>
    inView(coords, affine, [0, between(cells.yRange, share)], 1, grain),
  );
  const cellWidth = Math.abs((columns[1] as number) - (columns[0] as number));
  const cellHeight = Math.abs((rows[1] as number) - (rows[0] as number));
  const larger = Math.max(1, cellWidth * cellHeight);
  for (let i = 0; i < cells.cells.length; i++) {
    const category = cells.classes[i] as number;
    if (only && !only.includes(category)) continue;
    const number = cells.cells[i] as number;
    const across = covered(columns, number % cells.size, width);
    const down = covered(rows, Math.floor(number / cells.size), height);
    const ink = inks[category] ?? [0, 0, 0];
    for (const [row, high] of down) {
      for (const [column, wide] of across) {
        const at = row * width + column;
        const count = larger * (cells.counts[i] as number) * high * wide;
        counts[at] = (counts[at] as number) + count;
        for (let c = 0; c < 3; c++)
          sums[3 * at + c] = (sums[3 * at + c] as number) + count * (ink[c] as number);
      }
    }
  }
  return { counts, sums };
}

function between([low, high]: [number, number], share: number): number {
  return low + share * (high - low);
}

function inView(
  coords: Coords,
  affine: Affine,
  point: [number, number],
  axis: 0 | 1,
  grain: number,
): number {
  const [x, y] = place(coords, point);
  return toScreen(affine, x, y)[axis] / grain;
}

/** The edges of all cells along an axis of the view. */
function edges(size: number, at: (share: number) => number): Float64Array {
  return Float64Array.from({ length: size + 1 }, (_, i) => at(i / size));
}

/** The pixels that a cell covers along an axis, and what share of the cell each holds. */
function covered(edges: Float64Array, cell: number, size: number): [number, number][] {
  const [a, b] = [edges[cell] as number, edges[cell + 1] as number];
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  const found: [number, number][] = [];
  for (let at = Math.max(0, Math.floor(low)); at < Math.min(size, Math.ceil(high)); at++) {
    const share = (Math.min(high, at + 1) - Math.max(low, at)) / (high - low);
    if (share > 0) found.push([at, share]);
  }
  return found;
}
