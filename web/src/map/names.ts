import { shortenMiddle } from "../data/format.ts";
import type { Coords } from "../data/pack.ts";
import type { Point } from "../data/payload.ts";
import { type Affine, toScreen } from "./geometry.ts";
import type { Label } from "./labels.ts";

export const NAME_SIZE = 15;
export const FONT =
  'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif';

export type Rect = [left: number, top: number, right: number, bottom: number];

/** A name beside the points it names, in pixels. */
export interface PlacedName {
  class: number;
  text: string;
  /** The middle of the text. */
  at: Point;
  /** From the text to the points it names; null where it is on them. */
  leader: [Point, Point] | null;
  firm: boolean;
  /** Which of the places round its points it took. */
  slot: number;
}

export interface Field {
  affine: Affine;
  width: number;
  height: number;
  /** Where nothing may stand. */
  blocked?: Rect[];
  /** How many times as large as usual names are. */
  scale?: number;
}

/** A place for a name, and what it costs. */
interface Spot {
  cost: number;
  slot: number;
  at: Point;
  box: Rect;
}

/** Widest name, height of one, and the room between two. */
const WIDEST = 150;
const HEIGHT = 18;
const GAP = 5;
/** What the middle of a dot keeps from a name, as the dot has a size. */
const RIM = 3;
/** Pixels from the points to the nearest edge of their name, and how many ways round. */
const RINGS = [9, 18, 30, 44, 60, 80, 104, 134, 170, 215];
const WAYS = 16;
/** A leader shorter than this says nothing. */
const SHORTEST = 14;
/** What a place costs, in tens of pixels that a name is farther away. */
const HIDDEN = 5;
const CROSSED = 12;
const MOVED = 4;
/** For each class whose points are nearer than those that the name is of. */
const NEARER = 8;
/** Of the points that a name would hide where it names them, the most that it may hide beside them. */
const HIDES = 0.2;
/** So many names stand far off, or on points, rather than nowhere; more would be a field of lines. */
const FEW = 20;
const NEAR = 44;
/** So many names at most are on the screen at once: nearer, there is room for others. */
const MOST = 150;
/** Of so many names, the faint ones would say nothing but that the classes are tangled. */
const CROWDED = 100;

/** Where points are, to count those under a name. */
export class Crowd {
  private static readonly SIDE = 128;
  private readonly sums = new Uint32Array((Crowd.SIDE + 1) ** 2);

  constructor({ x, y }: Coords, codes: ArrayLike<number>, classes: number[] | null) {
    const { sums } = this;
    const row = Crowd.SIDE + 1;
    const wanted = classes && new Set(classes);
    const cell = (value: number) =>
      Math.min(Crowd.SIDE, Math.max(1, Math.ceil(((value + 1) / 2) * Crowd.SIDE)));
    for (let i = 0; i < x.length; i++) {
      if (wanted && !wanted.has(codes[i] as number)) continue;
      const at = cell(y[i] as number) * row + cell(x[i] as number);
      sums[at] = (sums[at] as number) + 1;
    }
    for (let j = 1; j <= Crowd.SIDE; j++) {
      let line = 0;
      for (let i = 1; i <= Crowd.SIDE; i++) {
        line += sums[j * row + i] as number;
        sums[j * row + i] = line + (sums[(j - 1) * row + i] as number);
      }
    }
  }

  /** How many points lie in a rectangle of the screen. */
  under([left, top, right, bottom]: Rect, { kx, ky, tx, ty }: Affine): number {
    const edge = (value: number, up: boolean) => {
      const cell = ((value + 1) / 2) * Crowd.SIDE;
      return Math.min(Crowd.SIDE, Math.max(0, up ? Math.ceil(cell) : Math.floor(cell)));
    };
    const [x0, x1] = [edge((left - tx) / kx, false), edge((right - tx) / kx, true)];
    const [y0, y1] = [edge((bottom - ty) / ky, false), edge((top - ty) / ky, true)];
    const row = Crowd.SIDE + 1;
    const { sums } = this;
    const sum = (y: number, x: number) => sums[y * row + x] as number;
    return sum(y1, x1) - sum(y0, x1) - sum(y1, x0) + sum(y0, x0);
  }
}

/** Put each name beside its points, where it hides few and meets no other; the largest come first. */
export function placeNames(
  labels: Label[],
  field: Field,
  crowd: Crowd,
  widthOf: (text: string) => number,
  before: Map<number, number> = new Map(),
): PlacedName[] {
  const { affine, width, height, blocked = [] } = field;
  const placed: (PlacedName & { box: Rect; anchor: Point; extent: Rect })[] = [];
  const order = labels
    .map((label) => ({ label, anchor: toScreen(affine, ...label.at) }))
    .filter(({ anchor: [x, y] }) => x >= 0 && y >= 0 && x <= width && y <= height)
    .filter(({ label }, _, all) => label.firm || all.length <= CROWDED)
    .sort(
      (a, b) =>
        Number(b.label.firm) - Number(a.label.firm) ||
        b.label.count - a.label.count ||
        a.label.class - b.label.class,
    )
    .slice(0, MOST);
  const reach = order.length > FEW ? NEAR : (RINGS.at(-1) as number);
  for (const { label, anchor } of order) {
    const text = shortenMiddle(label.text, WIDEST, widthOf);
    const half: Point = [widthOf(text) / 2, HEIGHT / 2];
    const usual = crowd.under(boxOf(anchor, half, RIM), affine);
    // Only what is so near can be met.
    const beside = ([x, y]: Point) =>
      Math.abs(x - anchor[0]) < 2 * (reach + WIDEST) &&
      Math.abs(y - anchor[1]) < 2 * (reach + HEIGHT);
    const others = placed.filter((other) => beside(other.anchor));
    const anchors = order.filter((other) => other.label !== label && beside(other.anchor));
    let best: Spot | null = null;
    let lying: Spot | null = null;
    for (let slot = 0; slot < RINGS.length * WAYS; slot++) {
      const far = RINGS[Math.floor(slot / WAYS)] as number;
      if ((best && far / 10 - MOVED > best.cost) || far > reach) break;
      const at = placeOf(anchor, half, far, slot % WAYS);
      const box = boxOf(at, half);
      if (box[0] < 2 || box[1] < 2 || box[2] > width - 2 || box[3] > height - 2) continue;
      const hidden = crowd.under(boxOf(at, half, RIM), affine);
      let cost =
        far / 10 + HIDDEN * Math.sqrt(hidden) - (before.get(label.class) === slot ? MOVED : 0);
      const free = hidden <= HIDES * usual + 1;
      const rival: Spot | null = free ? best : lying;
      if ((!free && (best || order.length > FEW)) || (rival && cost >= rival.cost)) continue;
      if (
        others.some((other) => meet(box, other.box, GAP)) ||
        blocked.some((rect) => meet(box, rect, 2))
      )
        continue;
      const leader: [Point, Point] = [nearestOf(box, anchor), anchor];
      const extent = extentOf(box, anchor);
      for (const other of others) {
        if (!meet(extent, other.extent, 0)) continue;
        if (other.leader && (cross(leader, other.leader) || through(box, other.leader)))
          cost += CROSSED;
        if (through(other.box, leader)) cost += CROSSED;
      }
      for (const other of anchors) {
        if (within(box, other.anchor)) cost += CROSSED;
        if (apart(at, other.anchor) < apart(at, anchor)) cost += NEARER;
      }
      if (rival && cost >= rival.cost) continue;
      if (free) best = { cost, slot, at, box };
      else lying = { cost, slot, at, box };
    }
    const chosen: Spot | null = best ?? (order.length <= FEW ? lying : null);
    if (!chosen) continue;
    const { box, at, slot } = chosen;
    const from = nearestOf(box, anchor);
    const long = Math.hypot(from[0] - anchor[0], from[1] - anchor[1]) >= SHORTEST;
    const leader: PlacedName["leader"] = long ? [from, anchor] : null;
    placed.push({
      class: label.class,
      text,
      at,
      firm: label.firm,
      slot,
      box,
      anchor,
      leader,
      extent: extentOf(box, anchor),
    });
  }
  return placed
    .sort((a, b) => a.class - b.class)
    .map(({ box: _box, anchor: _anchor, extent: _extent, ...name }) => name);
}

/** The middle of a name whose nearest edge is so far from its points, one of some ways round. */
function placeOf([x, y]: Point, [w, h]: Point, far: number, way: number): Point {
  // To the sides first: there a name is nearest to its points.
  const angle = (2 * Math.PI * way) / WAYS;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [
    x + cos * far + Math.sign(round(cos)) * w * Math.min(1, Math.abs(cos) * 1.6),
    y + sin * far + sin * h,
  ];
}

function round(value: number): number {
  return Math.abs(value) < 1e-9 ? 0 : value;
}

function boxOf([x, y]: Point, [w, h]: Point, rim = 0): Rect {
  return [x - w - rim, y - h - rim, x + w + rim, y + h + rim];
}

/** What a name takes with its leader. */
function extentOf([l, t, r, b]: Rect, [x, y]: Point): Rect {
  return [Math.min(l, x), Math.min(t, y), Math.max(r, x), Math.max(b, y)];
}

function meet([l, t, r, b]: Rect, [l2, t2, r2, b2]: Rect, gap: number): boolean {
  return l < r2 + gap && l2 < r + gap && t < b2 + gap / 2 && t2 < b + gap / 2;
}

function apart([x, y]: Point, [x2, y2]: Point): number {
  return Math.hypot(x - x2, y - y2);
}

function within([l, t, r, b]: Rect, [x, y]: Point): boolean {
  return x > l - 4 && x < r + 4 && y > t - 4 && y < b + 4;
}

function nearestOf([l, t, r, b]: Rect, [x, y]: Point): Point {
  return [Math.min(r, Math.max(l, x)), Math.min(b, Math.max(t, y))];
}

/** Whether two lines cross. */
function cross([a, b]: [Point, Point], [c, d]: [Point, Point]): boolean {
  const side = (p: Point, q: Point, r: Point) =>
    Math.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]));
  return side(a, b, c) !== side(a, b, d) && side(c, d, a) !== side(c, d, b);
}

/** Whether a line goes through a rectangle. */
function through([l, t, r, b]: Rect, line: [Point, Point]): boolean {
  const inside = (x: number, y: number) => x > l && x < r && y > t && y < b;
  if (inside(...line[0]) || inside(...line[1])) return true;
  return (
    cross(line, [
      [l, t],
      [r, b],
    ]) ||
    cross(line, [
      [l, b],
      [r, t],
    ])
  );
}

const widths = new Map<string, number>();
let pen: CanvasRenderingContext2D | null | undefined;

/** The width of a text in pixels, in the font of the page. */
export function textWidth(text: string, size = NAME_SIZE, weight = 650): number {
  const font = `${weight} ${size}px ${FONT}`;
  const key = `${font}|${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    pen ??= document.createElement("canvas").getContext("2d");
    if (!pen) throw new Error("the browser gives no canvas to measure text on");
    pen.font = font;
    width = pen.measureText(text).width;
    if (widths.size > 5000) widths.clear();
    widths.set(key, width);
  }
  return width;
}
