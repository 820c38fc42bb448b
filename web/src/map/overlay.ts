import type { Coords } from "../data/pack.ts";
import type { Layer, Point } from "../data/payload.ts";
import { h, s } from "../dom.ts";
import type { Overlay } from "../state/view-state.ts";
import { contoursOf } from "./contours.ts";
import { ellipsePath, polygonPath, toScreen } from "./geometry.ts";
import type { Label } from "./labels.ts";
import { type Trail, drawTrails } from "./trails.ts";
import {
  type Crowd,
  type Field,
  NAME_SIZE,
  type PlacedName,
  type Rect,
  placeNames,
  textWidth,
} from "./names.ts";

export interface Shape {
  class: number;
  kind: Overlay;
  /** In the square from -1 to 1. */
  path: string;
}

/** The shapes of the classes on one map. */
export function shapesOf(
  layer: Layer,
  coords: Coords,
  overlays: Overlay[],
  classes: number[] | null,
  codes: ArrayLike<number> = [],
  count = 0,
): Shape[] {
  const shapes: Shape[] = [];
  const add = (kind: Overlay, index: number, path: string) => {
    if (!path || (classes && !classes.includes(index))) return;
    shapes.push({ class: index, kind, path });
  };
  for (const kind of overlays) {
    if (kind === "contours") {
      for (const { class: index, path } of contoursOf(coords, codes, count, classes))
        add(kind, index, path);
    } else if (kind === "ellipses") {
      layer.ellipses?.forEach((ellipse, i) => {
        if (ellipse) add(kind, i, ellipsePath(coords, ellipse));
      });
    } else {
      layer[kind]?.forEach((polygons, i) => {
        add(kind, i, polygonPath(coords, polygons));
      });
    }
  }
  return shapes;
}

export const DASHES: Record<Overlay, string | null> = {
  hulls: null,
  peeled: "6 3",
  ellipses: "2 3",
  contours: "9 3 2 3",
};

export const LINES: Record<Overlay, string> = {
  hulls: "convex hull of a class",
  peeled: "hull of its 95\u00a0% deepest points",
  ellipses: "best-fitting ellipse of a class",
  contours: "densest places of a class: 50 and 90\u00a0% of it",
};

/** What is to be named: with what is on the map, and in which colors; null for the ink. */
export interface Named {
  labels: Label[];
  crowd: Crowd;
  inks: string[] | null;
}

/** What is drawn with the points: shapes of classes, a ring round a point, lines to neighbors. */
export class OverlayView {
  /** Under the points. */
  readonly under = s("svg", { class: "overlay under", "aria-hidden": "true" });
  /** Over the points. */
  readonly over = s("svg", { class: "overlay", "aria-hidden": "true" });
  private readonly fills = s("g", { class: "fills" });
  private readonly shapes = s("g", { class: "shapes" });
  private readonly leaders = s("g", { class: "leaders" });
  private readonly names = s("g", { class: "names" });
  private readonly links = s("g", { class: "links" });
  private readonly trails = s("g", { class: "trails" });
  private followed: { trails: Trail[]; here: number } | null = null;
  private field: Field = { affine: { kx: 1, ky: -1, tx: 0, ty: 0 }, width: 0, height: 0 };
  private named: Named | null = null;
  private placed: PlacedName[] = [];
  private readonly texts = new Map<number, SVGTextElement>();
  private marked: { coords: Coords; point: number; neighbors: number[] } | null = null;

  constructor() {
    this.under.append(this.fills);
    this.over.append(this.shapes, this.trails, this.leaders, this.names, this.links);
  }

  /** How the map lies on the screen, and what stands on it. */
  move(field: Field): void {
    this.field = field;
    const { kx, ky, tx, ty } = field.affine;
    for (const group of [this.fills, this.shapes]) {
      group.setAttribute("transform", `translate(${tx} ${ty}) scale(${kx} ${ky})`);
    }
    this.drawNames();
    this.drawLinks();
    if (this.followed) this.follow(this.followed);
  }

  /** The way of points over the layers; null for none. */
  follow(followed: { trails: Trail[]; here: number } | null): void {
    this.followed = followed;
    drawTrails(this.trails, followed ?? { trails: [], here: 0 }, this.field.affine);
  }

  /** Shapes in the colors of their classes, or else in ink. */
  draw(shapes: Shape[], colors: string[] | null): void {
    const tint = (index: number) => colors?.[index] ?? "currentColor";
    this.fills.replaceChildren(
      ...(colors ? shapes : []).map(({ class: index, path }) =>
        s("path", { d: path, fill: tint(index) }),
      ),
    );
    this.shapes.replaceChildren(
      ...shapes.map(({ class: index, kind, path }) =>
        s("path", { d: path, stroke: tint(index), "stroke-dasharray": DASHES[kind] }),
      ),
    );
  }

  /** Names of classes; those on the map already travel to their new places in so many milliseconds. */
  name(named: Named | null, duration: number): void {
    this.named = named;
    this.names.style.setProperty("--travel", `${duration}ms`);
    this.names.classList.toggle("traveling", duration > 0);
    this.drawNames();
  }

  /** Shapes belong to a map at rest: they are hidden while points move. */
  hide(hidden: boolean): void {
    this.under.classList.toggle("moving", hidden);
    this.over.classList.toggle("moving", hidden);
    if (!hidden) this.names.classList.remove("traveling");
  }

  mark(coords: Coords | null, point: number | null, neighbors: number[]): void {
    this.marked = coords && point !== null ? { coords, point, neighbors } : null;
    this.drawLinks();
  }

  private drawNames(): void {
    const { named, field } = this;
    const before = new Map(this.placed.map(({ class: index, slot }) => [index, slot]));
    this.placed = named ? placeLarge(named, field, before) : [];
    this.names.style.setProperty("--name-size", `${NAME_SIZE * (field.scale ?? 1)}px`);
    const wanted = new Set(this.placed.map(({ class: index }) => index));
    for (const [index, text] of this.texts) {
      if (wanted.has(index)) continue;
      text.remove();
      this.texts.delete(index);
    }
    for (const { class: index, text, at, firm } of this.placed) {
      let element = this.texts.get(index);
      if (!element) {
        element = s("text");
        this.texts.set(index, element);
        this.names.append(element);
      }
      if (element.textContent !== text) element.textContent = text;
      element.classList.toggle("faint", !firm);
      element.style.fill = firm ? (named?.inks?.[index] ?? "") : "";
      element.style.transform = `translate(${at[0].toFixed(1)}px, ${at[1].toFixed(1)}px)`;
    }
    this.leaders.replaceChildren(
      ...this.placed.flatMap(({ class: index, leader, firm }) => {
        if (!leader) return [];
        const [[x1, y1], [x2, y2]] = leader;
        const kind = firm ? "leader" : "leader faint";
        const line = s("line", { class: kind, x1, y1, x2, y2 });
        const end = s("circle", { class: kind, cx: x2, cy: y2, r: 2.5 });
        const ink = firm ? (named?.inks?.[index] ?? "") : "";
        line.style.stroke = ink;
        end.style.fill = ink;
        return [s("line", { class: "halo", x1, y1, x2, y2 }), line, end];
      }),
    );
  }

  private drawLinks(): void {
    if (!this.marked) {
      if (this.links.firstChild) this.links.replaceChildren();
      return;
    }
    const { coords, point, neighbors } = this.marked;
    const at = (i: number) =>
      toScreen(this.field.affine, coords.x[i] as number, coords.y[i] as number);
    const [x, y] = at(point);
    const lines = neighbors.map((i) => {
      const [x2, y2] = at(i);
      return s("line", { x1: x, y1: y, x2, y2 });
    });
    const rings = neighbors.map((i) => {
      const [cx, cy] = at(i);
      return s("circle", { class: "neighbor", cx, cy, r: 4 });
    });
    this.links.replaceChildren(
      ...lines,
      ...rings,
      s("circle", { class: "ring", cx: x, cy: y, r: 8 }),
    );
  }
}

/** Names so many times as large: as those of a map so many times smaller. */
function placeLarge(named: Named, field: Field, before: Map<number, number>): PlacedName[] {
  const { affine, width, height, blocked = [], scale = 1 } = field;
  const small = (value: number) => value / scale;
  const { kx, ky, tx, ty } = affine;
  const less: Field = {
    affine: { kx: small(kx), ky: small(ky), tx: small(tx), ty: small(ty) },
    width: small(width),
    height: small(height),
    blocked: blocked.map((rect) => rect.map(small) as Rect),
  };
  const placed = placeNames(named.labels, less, named.crowd, textWidth, before);
  if (scale === 1) return placed;
  const large = ([x, y]: Point): Point => [x * scale, y * scale];
  return placed.map((name) => ({
    ...name,
    at: large(name.at),
    leader: name.leader && (name.leader.map(large) as [Point, Point]),
  }));
}

/** What stands in the map's place where it cannot be drawn. */
export function noWebGL(figure: string | null): HTMLElement {
  const message = h(
    "p",
    { role: "status", "data-testid": "no-webgl" },
    "This browser has no WebGL, which the moving map needs. The curves, the table and the pairs below work without it.",
  );
  const image = figure && /^data:image\//.test(figure);
  return h(
    "div",
    { class: "no-webgl" },
    message,
    image
      ? h("img", { src: figure, alt: "Maps of the layers, as a still figure" })
      : h("p", {}, "It holds no still figure of so many layers or classes."),
  );
}
