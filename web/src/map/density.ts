import type { Coords } from "../data/pack.ts";
import { type CellDensity, inksOfCells } from "./cells.ts";
import type { Affine } from "./geometry.ts";

/** What a picture of the density is of. */
export interface Density {
  coords: Coords;
  categories: Uint16Array;
  colors: string[];
  /** 1 for the points that count; null for all. */
  mask: Uint8Array | null;
}

/** Pixels of the screen to one of the picture: points are many, not exact. */
const GRAIN = 3;
/** Opacity of the densest place, and of a single point. */
const MOST = 0.85;
const LEAST = 0.12;

/** More points than can be drawn one by one, as a picture of how many lie where, in their mean color. */
export class DensityView {
  readonly canvas = document.createElement("canvas");
  private what: Density | CellDensity | null = null;
  private where: { affine: Affine; width: number; height: number } | null = null;
  private frame = 0;

  constructor() {
    this.canvas.className = "density";
    this.canvas.setAttribute("aria-hidden", "true");
  }

  show(what: Density | CellDensity | null): void {
    this.what = what;
    this.later();
  }

  move(affine: Affine, width: number, height: number): void {
    this.where = { affine, width, height };
    if (this.what) this.later();
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
  }

  private later(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    const { what, where, canvas } = this;
    canvas.hidden = !what;
    if (!what || !where?.width || !where.height) return;
    const [width, height] = [where.width, where.height].map((side) => Math.ceil(side / GRAIN)) as [
      number,
      number,
    ];
    const pixels =
      "cells" in what
        ? shaded(inksOfCells(what, where.affine, width, height, GRAIN))
        : pixelsOf(what, where.affine, width, height);
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  }
}

/** Red, green, blue and opacity of every cell of a view, row by row. */
export function pixelsOf(
  { coords, categories, colors, mask }: Density,
  { kx, ky, tx, ty }: Affine,
  width: number,
  height: number,
): Uint8ClampedArray<ArrayBuffer> {
  const counts = new Float64Array(width * height);
  const sums = new Float64Array(3 * width * height);
  const inks = colors.map(channels);
  const { x, y } = coords;
  for (let i = 0; i < x.length; i++) {
    if (mask && !mask[i]) continue;
    const column = Math.floor((tx + kx * (x[i] as number)) / GRAIN);
    const row = Math.floor((ty + ky * (y[i] as number)) / GRAIN);
    if (column < 0 || row < 0 || column >= width || row >= height) continue;
    const cell = row * width + column;
    counts[cell] = (counts[cell] as number) + 1;
    const ink = inks[categories[i] as number] ?? [0, 0, 0];
    for (let c = 0; c < 3; c++)
      sums[3 * cell + c] = (sums[3 * cell + c] as number) + (ink[c] as number);
  }
  return shaded({ counts, sums });
}

/** How many points lie in each cell of a view, and the sums of their red, green and blue. */
export interface Inks {
  counts: Float64Array;
  sums: Float64Array;
}

function shaded({ counts, sums }: Inks): Uint8ClampedArray<ArrayBuffer> {
  let most = 1;
  for (const count of counts) most = Math.max(most, count);
  const pixels = new Uint8ClampedArray(4 * counts.length);
  counts.forEach((count, cell) => {
    if (!count) return;
    for (let c = 0; c < 3; c++) pixels[4 * cell + c] = (sums[3 * cell + c] as number) / count;
    const strength = most > 1 ? Math.max(0, Math.log(count) / Math.log(most)) : 1;
    pixels[4 * cell + 3] = 255 * (LEAST + (MOST - LEAST) * strength);
  });
  return pixels;
}

export function channels(hex: string): [number, number, number] {
  const part = (from: number) => Number.parseInt(hex.slice(from, from + 2), 16);
  return [part(1), part(3), part(5)];
}

/** Which points lie in a polygon, of all of them: a few are drawn, all are selected. */
export function pointsWithin({ x, y }: Coords, polygon: [number, number][]): number[] {
  if (polygon.length < 3) return [];
  const [xs, ys] = [polygon.map((corner) => corner[0]), polygon.map((corner) => corner[1])];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  const found: number[] = [];
  for (let i = 0; i < x.length; i++) {
    const [px, py] = [x[i] as number, y[i] as number];
    if (px < left || px > right || py < low || py > high) continue;
    let inside = false;
    for (let a = 0, b = xs.length - 1; a < xs.length; b = a++) {
      const [ax, ay, bx, by] = [xs[a], ys[a], xs[b], ys[b]] as [number, number, number, number];
      if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) inside = !inside;
    }
    if (inside) found.push(i);
  }
  return found;
}
