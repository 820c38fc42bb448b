/** Shapes of points, that tell classes apart without their colors. */

import { s } from "../dom.ts";

export const MARKERS = [
  "circle",
  "square",
  "triangle",
  "diamond",
  "plus",
  "cross",
  "wedge",
  "ring",
  "bar",
  "pole",
] as const;
export type Marker = (typeof MARKERS)[number];

/** Shapes are drawn so much larger than dots, and so many pixels across at least. */
const LARGER = 1.35;
const LEAST = 6;

/** The shape of a class; with more classes than shapes they come again, in other colors. */
export function markerOf(index: number): Marker {
  return MARKERS[index % MARKERS.length] as Marker;
}

/** How many pixels a point is across that has a shape, given those of a dot. */
export function markerSize(size: number): number {
  return Math.max(LEAST, size * LARGER);
}

type Corner = [x: number, y: number];

const [ARM, REACH] = [0.3, 0.95];
const ARMS: Corner[] = [
  [-ARM, -REACH],
  [ARM, -REACH],
  [ARM, -ARM],
  [REACH, -ARM],
  [REACH, ARM],
  [ARM, ARM],
  [ARM, REACH],
  [-ARM, REACH],
  [-ARM, ARM],
  [-REACH, ARM],
  [-REACH, -ARM],
  [-ARM, -ARM],
];

/** Within the square from -1 to 1, downward as on a screen; the same as in the program of the graphics card. */
const CORNERS: Partial<Record<Marker, Corner[]>> = {
  square: box(0.8, 0.8),
  triangle: [
    [0, -0.86],
    [0.996, 0.865],
    [-0.996, 0.865],
  ],
  diamond: [
    [0, -1],
    [1, 0],
    [0, 1],
    [-1, 0],
  ],
  plus: ARMS,
  cross: ARMS.map(([x, y]) => [(x - y) * Math.SQRT1_2, (x + y) * Math.SQRT1_2]),
  wedge: [
    [0, 0.86],
    [0.996, -0.865],
    [-0.996, -0.865],
  ],
  bar: box(1, 0.38),
  pole: box(0.38, 1),
};
const [OUTER, INNER] = [0.98, 0.5];

function box(x: number, y: number): Corner[] {
  return [
    [-x, -y],
    [x, -y],
    [x, y],
    [-x, y],
  ];
}

/** A shape as the path of a picture, round a place; a ring is filled by the rule of even and odd. */
export function markerPath(marker: Marker, x: number, y: number, radius: number): string {
  const corners = CORNERS[marker];
  const at = (value: number) => String(Math.round(100 * value) / 100);
  if (corners) {
    const places = corners.map(([dx, dy]) => `${at(x + radius * dx)} ${at(y + radius * dy)}`);
    return `M${places.join("L")}z`;
  }
  const round = (share: number) => {
    const r = at(radius * share);
    const arc = (end: number) => `A${r} ${r} 0 1 1 ${at(x + end * radius * share)} ${at(y)}`;
    return `M${at(x - radius * share)} ${at(y)}${arc(1)}${arc(-1)}z`;
  };
  return marker === "ring" ? round(OUTER) + round(INNER) : round(1);
}

/** A shape for a legend. */
export function markerIcon(marker: Marker, color: string): SVGSVGElement {
  const path = s("path", { d: markerPath(marker, 8, 8, 7), "fill-rule": "evenodd" });
  path.style.fill = color;
  return s("svg", { class: "marker", viewBox: "0 0 16 16", "aria-hidden": "true" }, path);
}

/** A color with a shape, as the graphics card is told of it: the opacity of colors is not used otherwise. */
export function shapedColor(hex: string, marker: Marker): [number, number, number, number] {
  const channel = (at: number) => Number.parseInt(hex.slice(at, at + 2), 16) / 255;
  return [channel(1), channel(3), channel(5), 1 - MARKERS.indexOf(marker) / 16];
}

/** What is put in place of what in the programs of regl-scatterplot that draw points. */
const VERTEX: [string, string][] = [
  ["varying float finalPointSize;", "varying float finalPointSize;\nvarying float marker;"],
  [
    "color = texture2D(colorTex, colorTexIndex);",
    "color = texture2D(colorTex, colorTexIndex);\n  marker = floor((1.0 - color.a) * 16.0 + 0.5);",
  ],
];
const FRAGMENT: [string, string][] = [
  [
    "varying float finalPointSize;",
    `varying float finalPointSize;
varying float marker;

float box(vec2 p, vec2 side) {
  vec2 d = abs(p) - side;
  return max(d.x, d.y);
}

float arms(vec2 p) {
  vec2 d = abs(p);
  return max(min(d.x, d.y) - ${ARM.toFixed(2)}, max(d.x, d.y) - ${REACH.toFixed(2)});
}

float triangle(vec2 p) {
  float up = 0.29 - p.y;
  return max(-up, 0.866 * abs(p.x) + 0.5 * up) - 0.575;
}

/* How far a place is beyond the edge of the shape. */
float beyond(vec2 p) {
  if (marker < 0.5) return length(p) - 1.0;
  if (marker < 1.5) return box(p, vec2(0.8));
  if (marker < 2.5) return triangle(p);
  if (marker < 3.5) return (abs(p.x) + abs(p.y) - 1.0) * 0.7071;
  if (marker < 4.5) return arms(p);
  if (marker < 5.5) return arms(vec2(p.x + p.y, p.x - p.y) * 0.7071);
  if (marker < 6.5) return triangle(vec2(p.x, -p.y));
  if (marker < 7.5) return abs(length(p) - ${((OUTER + INNER) / 2).toFixed(3)}) - ${((OUTER - INNER) / 2).toFixed(3)};
  if (marker < 8.5) return box(p, vec2(1.0, 0.38));
  return box(p, vec2(0.38, 1.0));
}`,
  ],
  ["float sdf = length(c) * finalPointSize;", "float sdf = (1.0 + beyond(c)) * finalPointSize;"],
];

interface Programs {
  vert?: unknown;
  frag?: unknown;
}

/** The programs that draw points, with shapes; others as they are. */
export function withMarkers<T extends Programs>(programs: T): T {
  const { vert, frag } = programs;
  if (typeof vert !== "string" || typeof frag !== "string") return programs;
  const fits = (text: string, changes: [string, string][]) =>
    changes.every(([from]) => text.split(from).length === 2);
  if (!fits(vert, VERTEX) || !fits(frag, FRAGMENT)) return programs;
  const change = (text: string, changes: [string, string][]) =>
    changes.reduce((changed, [from, to]) => changed.replace(from, () => to), text);
  return { ...programs, vert: change(vert, VERTEX), frag: change(frag, FRAGMENT) };
}

/** A renderer whose points have shapes. */
export function markerRenderer<R extends { regl: object }>(renderer: R): R {
  const { regl } = renderer;
  const shaped = new Proxy(regl, {
    apply: (make, self, [programs, ...rest]: [Programs, ...unknown[]]) =>
      Reflect.apply(make as () => unknown, self, [withMarkers(programs), ...rest]) as unknown,
  });
  return new Proxy(renderer, {
    get: (of, key) => (key === "regl" ? shaped : (Reflect.get(of, key, of) as unknown)),
  });
}
