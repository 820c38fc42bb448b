import { mappedLayers } from "../data/follow.ts";
import type { Point } from "../data/payload.ts";
import type { Place, Study } from "../data/study.ts";
import { s } from "../dom.ts";
import { type Affine, toScreen } from "./geometry.ts";

/** So many points have a trail at most. */
export const MOST_TRAILS = 60;

export interface Trail {
  point: number;
  /** In the square of the map, of each layer that has one. */
  at: Point[];
  color: string;
}

/** Where points lie on the maps of all layers, in the square of each map. */
export function trailsOf(
  study: Study,
  place: Place,
  points: number[],
  colorOf: (point: number) => string,
): { trails: Trail[]; here: number } {
  const layers = mappedLayers(study, place);
  const maps = layers.flatMap((layer) => study.coords({ ...place, layer }) ?? []);
  const trails = points.slice(0, MOST_TRAILS).map((point): Trail => ({
    point,
    at: maps.map(({ x, y }): Point => [x[point] as number, y[point] as number]),
    color: colorOf(point),
  }));
  const shown = study.layer(place);
  const here = layers.findIndex((layer) => study.layer({ ...place, layer }) === shown);
  return { trails, here };
}

/** The trails as lines: up to the layer shown whole, from there on dashed. */
export function drawTrails(
  group: SVGGElement,
  { trails, here }: { trails: Trail[]; here: number },
  affine: Affine,
): void {
  group.replaceChildren(
    ...trails.flatMap(({ at, color }) => {
      const places = at.map(([x, y]) => toScreen(affine, x, y));
      const path = (some: Point[]) =>
        some.length > 1 && `M${some.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
      const [past, future] = [
        path(places.slice(0, here + 1)),
        path(places.slice(Math.max(0, here))),
      ];
      const [start] = places;
      return [
        future && s("path", { class: "future", d: future, stroke: color }),
        past && s("path", { class: "halo", d: past }),
        past && s("path", { class: "past", d: past, stroke: color }),
        ...places.map(([cx, cy], layer) =>
          s("circle", {
            class: layer > here ? "future" : "past",
            cx: cx.toFixed(1),
            cy: cy.toFixed(1),
            r: start === places[layer] ? 3.5 : 2,
            fill: color,
          }),
        ),
      ].filter((element): element is SVGPathElement | SVGCircleElement => Boolean(element));
    }),
  );
}
