import { contours } from "d3-contour";
import type { Coords } from "../data/pack.ts";
import { pairOf } from "./geometry.ts";

/** Cells of the grid along each side, and half the side of what it covers. */
const CELLS = 72;
const SPAN = 1.12;
/** Passes of a box of three cells, which smooth as a bell does. */
const PASSES = 6;
/** Shares of a class's points that its contours hold. */
export const HELD = [0.5, 0.9];
/** So many classes have contours: the largest ones, and of equal ones some from all over. */
export const CONTOURED = 60;
const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** A class of fewer points has no density to speak of. */
const FEWEST = 12;

export interface Contour {
  class: number;
  /** In the square from -1 to 1. */
  path: string;
}

/** Outlines of where each class is densest, that hold half and nine tenths of its points. */
export function contoursOf(
  coords: Coords,
  codes: ArrayLike<number>,
  classes: number,
  only: number[] | null,
): Contour[] {
  const wanted = largest(codes, classes, only);
  const grids = new Map<number, Float64Array>();
  const counts = new Uint32Array(classes);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if (!wanted[code]) continue;
    let grid = grids.get(code);
    if (!grid) grids.set(code, (grid = new Float64Array(CELLS * CELLS)));
    const cell = at(coords.y[i] as number) * CELLS + at(coords.x[i] as number);
    grid[cell] = (grid[cell] as number) + 1;
    counts[code] = (counts[code] as number) + 1;
  }
  return [...grids].flatMap(([index, grid]): Contour[] => {
    if ((counts[index] as number) < FEWEST) return [];
    const smooth = smoothed(grid);
    const levels = levelsOf(smooth);
    const shapes = contours().size([CELLS, CELLS]).thresholds(levels)([...smooth]);
    return shapes.map(({ coordinates }) => ({ class: index, path: pathOf(coordinates) }));
  });
}

/** A number from 0 to 1 that is far from those of the neighbors. */
function spread(index: number): number {
  return (index * GOLDEN) % 1;
}

/** 1 for each class that has contours. */
function largest(codes: ArrayLike<number>, classes: number, only: number[] | null): Uint8Array {
  const sizes = new Uint32Array(classes);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if (code < classes) sizes[code] = (sizes[code] as number) + 1;
  }
  const all = only ?? [...sizes.keys()];
  const wanted = new Uint8Array(classes);
  const order = [...all].sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || spread(a) - spread(b));
  for (const index of order.slice(0, CONTOURED)) wanted[index] = 1;
  return wanted;
}

function at(value: number): number {
  return Math.min(CELLS - 1, Math.max(0, Math.floor(((value / SPAN + 1) / 2) * CELLS)));
}

/** The densities above which lie the shares of the points that are to be held, ascending. */
function levelsOf(grid: Float64Array): number[] {
  const sorted = Float64Array.from(grid).sort().reverse();
  const total = sorted.reduce((sum, value) => sum + value, 0);
  const levels: number[] = [];
  let sum = 0;
  let next = 0;
  for (const value of sorted) {
    sum += value;
    while (next < HELD.length && sum >= (HELD[next] as number) * total) {
      levels.push(value);
      next++;
    }
  }
  return [...new Set(levels)].sort((a, b) => a - b);
}

function smoothed(grid: Float64Array): Float64Array {
  let now = grid;
  for (let pass = 0; pass < PASSES; pass++) now = box(box(now, 1, CELLS), CELLS, 1);
  return now;
}

function box(grid: Float64Array, step: number, other: number): Float64Array {
  const out = new Float64Array(grid.length);
  for (let row = 0; row < CELLS; row++) {
    for (let i = 0; i < CELLS; i++) {
      const here = row * other + i * step;
      const before = i > 0 ? (grid[here - step] as number) : 0;
      const after = i < CELLS - 1 ? (grid[here + step] as number) : 0;
      out[here] = (before + (grid[here] as number) + after) / 3;
    }
  }
  return out;
}

function pathOf(polygons: number[][][][]): string {
  const place = (value: number) => ((value / CELLS) * 2 - 1) * SPAN;
  return polygons
    .flat()
    .map(
      (ring) =>
        `M${ring.map(([x, y]) => pairOf([place(x as number), place(y as number)])).join("L")}Z`,
    )
    .join("");
}
