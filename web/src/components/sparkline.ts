import type { Place, Study } from "../data/study.ts";
import { s } from "../dom.ts";

const WIDTH = 56;
const HEIGHT = 16;
const RIM = 2.5;

/** A measure of every class over the layers, on one scale. */
export interface Trend {
  /** Of each layer its value of each class; null where it has none. */
  layers: ((number | null)[] | null)[];
  low: number;
  high: number;
}

/** How a measure of each class goes over the layers of a model; null where it is known of one only. */
export function trendOf(study: Study, place: Place, measure: string): Trend | null {
  const layers = study
    .model(place.model)
    .layers.map((_, layer) => study.score({ ...place, layer }, measure)?.perClass ?? null);
  let [low, high] = [Infinity, -Infinity];
  for (const value of layers.flatMap((values) => values ?? [])) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return layers.filter(Boolean).length > 1 && high > low ? { layers, low, high } : null;
}

/** The line of a class, broken where a layer has no value, with a dot at the layer shown. */
export function sparkline({ layers, low, high }: Trend, index: number, layer: number): SVGElement {
  const x = (at: number) => RIM + (at / Math.max(1, layers.length - 1)) * (WIDTH - 2 * RIM);
  const y = (value: number) => HEIGHT - RIM - ((value - low) / (high - low)) * (HEIGHT - 2 * RIM);
  let path = "";
  let drawing = false;
  layers.forEach((values, at) => {
    const value = values?.[index] ?? null;
    if (value !== null) path += `${drawing ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    drawing = value !== null;
  });
  const here = layers[layer]?.[index] ?? null;
  return s(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
    s("path", { d: path }),
    here !== null && s("circle", { cx: x(layer).toFixed(1), cy: y(here).toFixed(1), r: 2.5 }),
  );
}
