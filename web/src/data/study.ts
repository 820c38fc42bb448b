import { type Coords, type Numbers, unpack, unpackCoords, unpackShares } from "./pack.ts";
import type { Layer, Measure, Model, Payload, Score } from "./payload.ts";

/** The payload, decoded part by part when first asked for, with views followed to their layers. */
export class Study {
  readonly payload: Payload;
  readonly n: number;
  readonly classNames: string[];
  readonly labels: Numbers;
  private readonly cache = new Map<unknown, unknown>();

  constructor(payload: Payload) {
    if (payload.format !== 1) {
      throw new Error(`this page reads format 1; the data is of format ${String(payload.format)}`);
    }
    this.payload = payload;
    this.n = payload.nSamples;
    this.classNames = payload.classNames.map((name) => (name.trim() ? name : "(no name)"));
    this.labels = unpack(payload.labels);
  }

  get models(): Model[] {
    return this.payload.models;
  }

  model(index: number): Model {
    return this.payload.models[index] as Model;
  }

  /** A layer as it is listed. */
  listed(model: number, layer: number): Layer {
    return this.model(model).layers[layer] as Layer;
  }

  /** The layer that holds the map and scores: itself, or what it is a view of. */
  layer(model: number, layer: number): Layer {
    let found = this.listed(model, layer);
    const seen = new Set<string>();
    while (found.sameAs !== null && !found.map && !seen.has(found.name)) {
      seen.add(found.name);
      const target = found.sameAs;
      const next = this.model(model).layers.find(({ name }) => name === target);
      if (!next) break;
      found = next;
    }
    return found;
  }

  hasMap(model: number, layer: number): boolean {
    return this.layer(model, layer).map !== null;
  }

  /** Index of the layer with this name, or -1. */
  indexOf(model: number, name: string): number {
    return this.model(model).layers.findIndex((layer) => layer.name === name);
  }

  coords(model: number, layer: number, epoch: number | null = null): Coords | null {
    const found = this.layer(model, layer);
    const axis = epoch === null ? undefined : this.model(model).epochs?.layers[found.name];
    const map = axis && epoch !== null ? (axis.maps[epoch] ?? null) : found.map;
    return map && this.once(map, () => unpackCoords(map));
  }

  /** Kullback-Leibler divergence of a map; those of earlier epochs are not known. */
  divergence(model: number, layer: number, epoch: number | null = null): number | null {
    const last = (this.model(model).epochs?.epochs.length ?? 0) - 1;
    return epoch === null || epoch === last ? this.layer(model, layer).klDivergence : null;
  }

  predictions(model: number): Numbers | null {
    const packed = this.model(model).predictions ?? (model === 0 ? this.payload.predictions : null);
    return packed && this.once(packed, () => unpack(packed));
  }

  confidence(model: number): Float32Array | null {
    const packed = this.model(model).confidence ?? (model === 0 ? this.payload.confidence : null);
    return packed && this.once(packed, () => unpackShares(packed));
  }

  hits(model: number, layer: number): Float32Array | null {
    const packed = this.layer(model, layer).hits;
    return packed && this.once(packed, () => unpackShares(packed));
  }

  mapHits(model: number, layer: number): Float32Array | null {
    const packed = this.layer(model, layer).mapHits;
    return packed && this.once(packed, () => unpackShares(packed));
  }

  /** Neighbours of a point in the representation, nearest first. */
  neighbors(model: number, layer: number, point: number): number[] {
    const found = this.layer(model, layer).neighbors;
    if (!found) return [];
    const indices = this.once(found, () => unpack(found.indices));
    return [...indices.subarray(point * found.k, (point + 1) * found.k)];
  }

  score(model: number, layer: number, measure: string): Score | null {
    return this.layer(model, layer).scores[measure] ?? null;
  }

  measure(name: string): Measure | undefined {
    return this.payload.measures.find((measure) => measure.name === name);
  }

  /** How many points each class has. */
  get counts(): number[] {
    return this.once("counts", () => {
      const counts = new Array<number>(this.classNames.length).fill(0);
      for (const label of this.labels) counts[label] = (counts[label] ?? 0) + 1;
      return counts;
    });
  }

  private once<T>(key: unknown, make: () => T): T {
    if (!this.cache.has(key)) this.cache.set(key, make());
    return this.cache.get(key) as T;
  }
}
