import type { Coords } from "../data/pack.ts";
import type { Layer } from "../data/payload.ts";
import { h, s } from "../dom.ts";
import type { Overlay } from "../state/view-state.ts";
import { type Affine, ellipsePath, polygonPath, toScreen } from "./geometry.ts";

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
): Shape[] {
  const shapes: Shape[] = [];
  const add = (kind: Overlay, paths: (string | null)[]) => {
    paths.forEach((path, i) => {
      if (path && (!classes || classes.includes(i))) shapes.push({ class: i, kind, path });
    });
  };
  for (const kind of overlays) {
    if (kind === "ellipses") {
      add(kind, (layer.ellipses ?? []).map((ellipse) => ellipse && ellipsePath(coords, ellipse)));
    } else {
      add(kind, (layer[kind] ?? []).map((polygons) => polygonPath(coords, polygons)));
    }
  }
  return shapes;
}

export const DASHES: Record<Overlay, string | null> = {
  hulls: null,
  peeled: "6 3",
  ellipses: "2 3",
};

/** What is drawn over the points: shapes of classes, a ring round a point, lines to neighbours. */
export class OverlayView {
  readonly element = s("svg", { class: "overlay", "aria-hidden": "true" });
  private readonly shapes = s("g", { class: "shapes" });
  private readonly links = s("g", { class: "links" });
  private affine: Affine = { kx: 1, ky: -1, tx: 0, ty: 0 };
  private marked: { coords: Coords; point: number; neighbors: number[] } | null = null;

  constructor() {
    this.element.append(this.shapes, this.links);
  }

  move(affine: Affine): void {
    this.affine = affine;
    const { kx, ky, tx, ty } = affine;
    this.shapes.setAttribute("transform", `translate(${tx} ${ty}) scale(${kx} ${ky})`);
    this.drawLinks();
  }

  draw(shapes: Shape[], colours: string[]): void {
    this.shapes.replaceChildren(
      ...shapes.map(({ class: index, kind, path }) =>
        s("path", {
          d: path,
          class: kind,
          stroke: colours[index] ?? "currentColor",
          fill: colours[index] ?? "none",
          "stroke-dasharray": DASHES[kind],
        }),
      ),
    );
  }

  /** Shapes belong to a map at rest: they are hidden while points move. */
  hide(hidden: boolean): void {
    this.element.classList.toggle("moving", hidden);
  }

  mark(coords: Coords | null, point: number | null, neighbors: number[]): void {
    this.marked = coords && point !== null ? { coords, point, neighbors } : null;
    this.drawLinks();
  }

  private drawLinks(): void {
    if (!this.marked) {
      if (this.links.firstChild) this.links.replaceChildren();
      return;
    }
    const { coords, point, neighbors } = this.marked;
    const at = (i: number) => toScreen(this.affine, coords.x[i] as number, coords.y[i] as number);
    const [x, y] = at(point);
    const lines = neighbors.map((i) => {
      const [x2, y2] = at(i);
      return s("line", { x1: x, y1: y, x2, y2 });
    });
    const rings = neighbors.map((i) => {
      const [cx, cy] = at(i);
      return s("circle", { class: "neighbor", cx, cy, r: 5 });
    });
    this.links.replaceChildren(...lines, ...rings, s("circle", { class: "ring", cx: x, cy: y, r: 8 }));
  }
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
    image && h("img", { src: figure, alt: "Maps of the layers, as a still figure" }),
  );
}
