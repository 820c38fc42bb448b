import type { Place, Study } from "./study.ts";

type Moment = Pick<Place, "model" | "epoch">;

/** From which share of its neighbors on a point is with its class. */
const WITH = 0.5;

/** The layers that have a map, or else hits, of their own: a view tells nothing that its layer does not. */
function ownLayers(
  study: Study,
  { model, epoch }: Moment,
  test: (place: Place) => boolean,
): number[] {
  return [...study.model(model).layers.keys()].filter((layer) => {
    const place = { model, layer, epoch };
    return study.listed(place).sameAs === null && test(place);
  });
}

/** The layers that have a map of their own, in order. */
export function mappedLayers(study: Study, moment: Moment): number[] {
  return ownLayers(study, moment, (place) => study.hasMap(place));
}

/** The layers of which the neighbors are known, in order. */
export function neighborLayers(study: Study, moment: Moment): number[] {
  return ownLayers(study, moment, (place) => study.layer(place).neighbors !== null);
}

/** The layer that a place is a view of, or its own. */
export function ownLayer(study: Study, place: Place): number {
  const { sameAs } = study.listed(place);
  const found = sameAs === null ? -1 : study.indexOf(place.model, sameAs);
  return found < 0 ? place.layer : found;
}

export interface NeighborChange {
  kept: number[];
  gained: number[];
  lost: number[];
}

/** Which neighbors a point keeps, gets and loses from one layer to another. */
export function neighborChange(
  study: Study,
  from: Place,
  to: Place,
  point: number,
): NeighborChange {
  const [before, now] = [from, to].map((place) => study.neighbors(place, point)) as [
    number[],
    number[],
  ];
  // As many of each, so that none is lost only because fewer are counted.
  const count = Math.min(before.length, now.length);
  const [old, fresh] = [new Set(before.slice(0, count)), new Set(now.slice(0, count))];
  return {
    kept: [...fresh].filter((other) => old.has(other)),
    gained: [...fresh].filter((other) => !old.has(other)),
    lost: [...old].filter((other) => !fresh.has(other)),
  };
}

/** When points come to be with their class. */
export interface Untangling {
  /** The layers that have been looked at. */
  layers: number[];
  /** Of each point the place in `layers` from which on it is with its class, or -1 for never. */
  since: Int16Array;
  /** Whether it was with its class before, and is no more at the last layer. */
  again: Uint8Array;
}

const known = new WeakMap<Study, Map<string, unknown>>();

function once<T>(study: Study, key: string, make: () => T): T {
  const found = known.get(study) ?? new Map<string, unknown>();
  known.set(study, found);
  if (!found.has(key)) found.set(key, make());
  return found.get(key) as T;
}

/** From which layer on at least half of each point's neighbors are of its class; null if not known. */
export function untangling(study: Study, { model, epoch }: Moment): Untangling | null {
  return once(study, `untangling ${model} ${epoch}`, () => {
    const layers = ownLayers(study, { model, epoch }, (place) => study.hits(place) !== null);
    if (layers.length < 2 || study.values) return null;
    const since = new Int16Array(study.n).fill(-1);
    const was = new Uint8Array(study.n);
    layers.forEach((layer, at) => {
      const hits = study.hits({ model, layer, epoch });
      for (let i = 0; i < study.n; i++) {
        if ((hits?.[i] ?? 0) < WITH) since[i] = -1;
        else {
          if (since[i] === -1) since[i] = at;
          was[i] = 1;
        }
      }
    });
    const again = Uint8Array.from(was, (once, i) => (once && since[i] === -1 ? 1 : 0));
    return { layers, since, again };
  });
}

/** How far each point goes on the maps from layer to layer in all, as shares of the maps' width. */
export function travels(study: Study, { model, epoch }: Moment): Float32Array | null {
  return once(study, `travels ${model} ${epoch}`, () => {
    const layers = mappedLayers(study, { model, epoch });
    if (layers.length < 2) return null;
    const far = new Float32Array(study.n);
    for (let at = 1; at < layers.length; at++) {
      const [from, to] = [layers[at - 1], layers[at]].map((layer) =>
        study.coords({ model, layer: layer as number, epoch }),
      );
      if (!from || !to) continue;
      for (let i = 0; i < study.n; i++) {
        const [dx, dy] = [
          (to.x[i] as number) - (from.x[i] as number),
          (to.y[i] as number) - (from.y[i] as number),
        ];
        far[i] = (far[i] as number) + Math.hypot(dx, dy) / 2;
      }
    }
    return far;
  });
}

/** The points with the greatest values, the greatest first; of equal ones the first. */
export function greatest(values: Float32Array, count: number): number[] {
  // Only the first ones are kept in order: all could be a million.
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    const last = found.at(-1);
    if (found.length >= count && last !== undefined && value <= (values[last] as number)) continue;
    let at = found.length;
    while (at > 0 && (values[found[at - 1] as number] as number) < value) at--;
    found.splice(at, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}

/** Which shares of a class's neighbors are of which class, at each layer that has them. */
export interface Stream {
  layers: number[];
  /** The classes, its own first, then those of the greatest shares, and -1 for all others. */
  classes: number[];
  /** A share for each layer and class. */
  shares: number[][];
}

const BANDS = 6;

export function streamOf(study: Study, { model, epoch }: Moment, own: number): Stream {
  const layers = ownLayers(study, { model, epoch }, (place) => study.confusion(place) !== null);
  const size = study.classNames.length;
  const rows = layers.map((layer) => {
    const confusion = study.confusion({ model, layer, epoch });
    return Array.from({ length: size }, (_, other) => confusion?.at(own, other) ?? 0);
  });
  const most = Array.from({ length: size }, (_, other) =>
    Math.max(0, ...rows.map((row) => row[other] as number)),
  );
  const others = [...most.keys()]
    .filter((other) => other !== own && (most[other] as number) > 0)
    .sort((a, b) => (most[b] as number) - (most[a] as number) || a - b);
  const named = others.slice(0, BANDS);
  const classes = [own, ...named, ...(others.length > BANDS ? [-1] : [])];
  const shares = rows.map((row) => {
    const found = [own, ...named].map((other) => row[other] as number);
    const rest = others.slice(BANDS).reduce((sum, other) => sum + (row[other] as number), 0);
    return others.length > BANDS ? [...found, rest] : found;
  });
  return { layers, classes, shares };
}
