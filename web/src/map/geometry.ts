import type { Ellipse, Point, Polygon } from "../data/payload.ts";
import type { Coords } from "../data/pack.ts";

/** From screen to the square of the map, and back: screen = offset + scale * map. */
export interface Affine {
  kx: number;
  ky: number;
  tx: number;
  ty: number;
}

export function toScreen({ kx, ky, tx, ty }: Affine, x: number, y: number): Point {
  return [tx + kx * x, ty + ky * y];
}

/** From the map's own units into the square. */
export function place({ center, scale }: Coords, [x, y]: Point): Point {
  return [(x - center[0]) * scale, (y - center[1]) * scale];
}

export function polygonPath(coords: Coords, polygons: Polygon[]): string {
  return polygons
    .filter((polygon) => polygon.length > 1)
    .map((polygon) => `M${polygon.map((point) => pairOf(place(coords, point))).join("L")}Z`)
    .join("");
}

const ELLIPSE_POINTS = 64;

/** An ellipse as a closed path; `axes` are its semi-axes. */
export function ellipsePath(coords: Coords, { center, axes, angle }: Ellipse): string {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const points = Array.from({ length: ELLIPSE_POINTS }, (_, i): Point => {
    const t = (2 * Math.PI * i) / ELLIPSE_POINTS;
    const [u, v] = [axes[0] * Math.cos(t), axes[1] * Math.sin(t)];
    return [center[0] + u * cos - v * sin, center[1] + u * sin + v * cos];
  });
  return polygonPath(coords, [points]);
}

/** A place in a path. */
export function pairOf([x, y]: Point): string {
  return `${round(x)} ${round(y)}`;
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
