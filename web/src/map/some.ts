import type { Frame } from "./scatter.ts";

/** The frame of some of its points, which are told by their places in it. */
export function someOf(frame: Frame, points: Uint32Array): Frame {
  const place = new Map<number, number>();
  points.forEach((point, dot) => place.set(point, dot));
  const dots = (found: number[] | null) =>
    found?.flatMap((point) => place.get(point) ?? []) ?? null;
  const { x, y, categories, faint, last, only } = frame;
  return {
    ...frame,
    x: placesOf(x, points),
    y: placesOf(y, points),
    categories: Uint16Array.from(points, (point) => categories[point] as number),
    faint: faint && Uint8Array.from(points, (point) => faint[point] as number),
    last: dots(last),
    only: dots(only),
  };
}

const kept = new WeakMap<Float32Array, Float32Array>();

/** The same array for the same map, which tells that it has not moved. */
function placesOf(values: Float32Array, points: Uint32Array): Float32Array {
  const found = kept.get(values) ?? Float32Array.from(points, (point) => values[point] as number);
  kept.set(values, found);
  return found;
}

/** 1 for each point that is shown, and selected if some are; null for all. */
export function maskOf(n: number, only: number[] | null, selection: number[]): Uint8Array | null {
  if (!only && !selection.length) return null;
  const mask = new Uint8Array(n);
  for (const i of only ?? selection) mask[i] = 1;
  if (!only || !selection.length) return mask;
  const both = new Uint8Array(n);
  for (const i of selection) both[i] = mask[i] as number;
  return both;
}
