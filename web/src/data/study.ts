import { Column } from "./columns.ts";
import { Confusion } from "./confusion.ts";
import {
  type Coords,
  type Numbers,
  unpack,
  unpackCoords,
  unpackHits,
  unpackShares,
} from "./pack.ts";
import type { Cells } from "../map/cells.ts";
import type { Variant } from "./labelings.ts";
import { formatNumber } from "./format.ts";
import { type ShortNames, shortNames } from "./names.ts";
import type {
  Differences,
  Layer,
  Measure,
  Model,
  Moment,
  Payload,
  Score,
  Unchanged,
} from "./payload.ts";

/** More points than this are drawn as a density, with some of them as dots. */
const DENSE = 150_000;
const DRAWN = 40_000;

const NONE: Differences[] = [];

export const UNLABELED = "unlabeled";

/** A layer of a model at a step of its epochs: null is the model itself, as is the last step. */
export interface Place {
  model: number;
  layer: number;
  epoch: number | null;
}

/** How surely a score is higher or lower in a second place than in a first. */
export interface Difference {
  interval: [number, number];
  /** Corrected for so many comparisons. */
  p: number;
  count: number;
}

/** The payload, decoded part by part when first asked for, with views followed to their layers. */
export class Study {
  readonly payload: Payload;
  readonly n: number;
  readonly classNames: string[];
  /** Those of the classes; `classNames.length` where a sample is unlabeled. */
  readonly labels: Numbers;
  /** Which of the payload's labelings this is. */
  readonly labeling: number;
  /** Which of the payload's kinds of maps these are. */
  readonly mapBy: number;
  private readonly cache = new Map<unknown, unknown>();

  constructor(payload: Payload, { labeling, map }: Variant = { labeling: 0, map: 0 }) {
    if (payload.format !== 3) {
      throw new Error(`this page reads format 3; the data is of format ${String(payload.format)}`);
    }
    this.payload = payload;
    this.n = payload.nSamples;
    this.classNames = payload.classNames.map((name) => (name.trim() ? name : "(no name)"));
    this.labels = unpack(payload.labels);
    this.labeling = labeling;
    this.mapBy = map;
  }

  /** The classes, and what the unlabeled are called if there are any. */
  get labelNames(): string[] {
    const { unlabeled, values } = this.payload;
    return unlabeled && !values ? [...this.classNames, UNLABELED] : this.classNames;
  }

  /** Whether a sample has a label; of the others no score and no prediction is counted. */
  isLabeled(point: number): boolean {
    const { values } = this;
    if (values) return !Number.isNaN(values[point]);
    return (this.labels[point] as number) < this.classNames.length;
  }

  /** The number of each sample, NaN where it is missing; null where labels are classes. */
  get values(): Float64Array | null {
    const packed = this.payload.values;
    if (!packed) return null;
    return this.once(packed, () => {
      const [low, high] = packed.range;
      return Float64Array.from(unpack(packed.data), (step) =>
        step === 65535 ? Number.NaN : low + (step / 65534) * (high - low),
      );
    });
  }

  /** A label in words: the class, or the number. */
  labelName(point: number): string {
    const { values } = this;
    if (!this.isLabeled(point)) return UNLABELED;
    if (values) return formatNumber(values[point]);
    return this.classNames[this.labels[point] as number] ?? "";
  }

  /** How many of all samples lie where on a map, where those of the page are a part of more. */
  cells(place: Place): Cells | null {
    const packed = this.layer(place).density;
    if (!packed) return null;
    return this.once(packed, () => {
      const lengths = unpack(packed.lengths);
      const cells = unpack(packed.cells);
      const classes = new Uint16Array(cells.length);
      let first = 0;
      lengths.forEach((length, category) => {
        classes.fill(category, first, first + length);
        first += length;
      });
      const { samples, size, xRange, yRange } = packed;
      return { samples, size, xRange, yRange, classes, cells, counts: unpack(packed.counts) };
    });
  }

  /** The number of all samples, where those of the page are a part of more; else null. */
  get samplesInAll(): number | null {
    for (const model of this.payload.models)
      for (const layer of model.layers) if (layer.density) return layer.density.samples;
    return null;
  }

  /** The points that are drawn one by one where there are too many for all, ascending; else null. */
  get drawn(): Uint32Array | null {
    if (this.n <= DENSE) return null;
    return this.once("drawn", () => {
      // Taken at equal distances from all in the order of their classes.
      const order = Uint32Array.from({ length: this.n }, (_, i) => i);
      const { labels } = this;
      order.sort((a, b) => (labels[a] as number) - (labels[b] as number) || a - b);
      const step = this.n / DRAWN;
      return Uint32Array.from(
        { length: DRAWN },
        (_, i) => order[Math.floor((i + 0.5) * step)] as number,
      ).sort();
    });
  }

  /** What else is known of each sample. */
  get columns(): Column[] {
    return this.once("columns", () =>
      (this.payload.metadata ?? []).map((entry) => new Column(entry)),
    );
  }

  /** The column of this name, or else of this name in other letters; null for none. */
  column(name: string): Column | null {
    const lower = name.toLocaleLowerCase();
    return (
      this.columns.find((column) => column.name === name) ??
      this.columns.find((column) => column.name.toLocaleLowerCase() === lower) ??
      null
    );
  }

  get models(): Model[] {
    return this.payload.models;
  }

  model(index: number): Model {
    return this.payload.models[index] as Model;
  }

  /** A layer as it is listed, whatever the epoch. */
  listed({ model, layer }: Pick<Place, "model" | "layer">): Layer {
    return this.model(model).layers[layer] as Layer;
  }

  /** The names of the layers of a model without what all begin with. */
  shortNames(model: number): ShortNames {
    const { layers } = this.model(model);
    return this.once(layers, () => shortNames(layers.map(({ name }) => name)));
  }

  /** How many steps the epochs of a model have; 0 where it has none. */
  epochs(model: number): number {
    return this.model(model).epochs?.epochs.length ?? 0;
  }

  /** The name of a step of the epochs: its number, or "end" for that of the model itself. */
  epochName(model: number, step: number): string {
    return String(this.model(model).epochs?.epochs[step] ?? "end");
  }

  /** What is known of a model at an epoch. */
  moment({ model, epoch }: Pick<Place, "model" | "epoch">): Moment<Layer | Unchanged> {
    const found = this.model(model);
    return (epoch === null ? null : found.epochs?.moments[epoch]) ?? found;
  }

  /** What is known of a listed layer at its epoch; undefined where nothing is. */
  entry(place: Place): Layer | undefined {
    const { layers } = this.moment(place);
    const listed = this.listed(place);
    return layers === this.model(place.model).layers ? listed : this.named(place, listed.name);
  }

  /** The layer that holds the map and scores: itself, or what it is a view of, at its epoch. */
  layer(place: Place): Layer {
    const listed = this.listed(place);
    // An epoch that does not know a view may know what it is a view of.
    let found = this.entry(place) ?? this.named(place, listed.sameAs);
    const seen = new Set<string>();
    while (found && found.sameAs !== null && !found.map && !seen.has(found.name)) {
      seen.add(found.name);
      found = this.named(place, found.sameAs) ?? found;
    }
    return found ?? this.once(listed, () => unknownLayer(listed));
  }

  private named(place: Place, name: string | null): Layer | undefined {
    const so = (layer: { name: string }) => layer.name === name;
    const found = this.moment(place).layers.find(so);
    return found && "unchanged" in found ? this.model(place.model).layers.find(so) : found;
  }

  hasMap(place: Place): boolean {
    return this.layer(place).map !== null;
  }

  /** Index of the layer with this name, or -1. */
  indexOf(model: number, name: string): number {
    return this.model(model).layers.findIndex((layer) => layer.name === name);
  }

  coords(place: Place): Coords | null {
    const { map } = this.layer(place);
    return map && this.once(map, () => unpackCoords(map));
  }

  predictions(place: Pick<Place, "model" | "epoch">): Numbers | null {
    const moment = this.moment(place);
    const own = moment === this.payload.models[0];
    const packed = moment.predictions ?? (own ? this.payload.predictions : null);
    return packed && this.once(packed, () => unpack(packed));
  }

  confidence(place: Pick<Place, "model" | "epoch">): Float32Array | null {
    const moment = this.moment(place);
    const own = moment === this.payload.models[0];
    const packed = moment.confidence ?? (own ? this.payload.confidence : null);
    return packed && this.once(packed, () => unpackShares(packed));
  }

  hits(place: Place): Float32Array | null {
    const { hits, hitK } = this.layer(place);
    return hits && this.once(hits, () => unpackHits(hits, hitK));
  }

  mapHits(place: Place): Float32Array | null {
    const { mapHits, hitK } = this.layer(place);
    return mapHits && this.once(mapHits, () => unpackHits(mapHits, hitK));
  }

  /** Neighbors of a point in the representation, nearest first. */
  neighbors(place: Place, point: number): number[] {
    const found = this.layer(place).neighbors;
    if (!found) return [];
    const indices = this.once(found, () => unpack(found.indices));
    const row = [...indices.subarray(point * found.k, (point + 1) * found.k)];
    return row.filter((neighbor) => neighbor < this.n);
  }

  /** The neighbors of all points: k of each, one point after the other. */
  neighborTable(place: Place): { k: number; indices: Numbers } | null {
    const found = this.layer(place).neighbors;
    return found && { k: found.k, indices: this.once(found, () => unpack(found.indices)) };
  }

  confusion(place: Place): Confusion | null {
    return this.confusionOf(this.layer(place));
  }

  private confusionOf({ confusion }: Layer): Confusion | null {
    return confusion && this.once(confusion, () => new Confusion(confusion));
  }

  /** The number of a point among all samples, where only some of them are shown. */
  sampleOf(point: number): number {
    const { sampled } = this.payload;
    if (!sampled) return point;
    return this.once(sampled, () => unpack(sampled.indices))[point] as number;
  }

  /** The points of these samples, of those that are shown; in the order of the samples. */
  pointsOf(samples: number[]): number[] {
    const { sampled } = this.payload;
    if (!sampled) return samples;
    const wanted = new Set(samples);
    const found: number[] = [];
    for (let i = 0; i < this.n; i++) if (wanted.has(this.sampleOf(i))) found.push(i);
    return found;
  }

  score(place: Place, measure: string): Score | null {
    const score = this.layer(place).scores[measure] ?? null;
    const { sameAs } = this.entry(place) ?? this.listed(place);
    if (!score || sameAs === null || this.measure(measure)?.family !== "transition") return score;
    // What is the same as another layer changes nothing, and has no transition of its own.
    return {
      value: null,
      reason: `it is the same as ${sameAs}, from which nothing changes`,
      interval: null,
      null: null,
      nullInterval: null,
      perClass: null,
      notes: [],
    };
  }

  /** How surely a score differs between two places; null where they were not compared. */
  difference(first: Place, second: Place, measure: string): Difference | null {
    const [from, to] = [this.compared(first), this.compared(second)];
    const [known, there] = [this.differencesAt(first), this.differencesAt(second)];
    if (known !== there) return null;
    for (const { first: one, second: other, count, scores } of known) {
      const found = scores[measure];
      if (!found) continue;
      const [low, high, p] = found;
      if (same(one, from) && same(other, to)) return { interval: [low, high], p, count };
      if (same(one, to) && same(other, from)) return { interval: [-high, -low], p, count };
    }
    return null;
  }

  /** The places that a place is compared with: the layer before, and that of another model. */
  comparedWith(place: Place): Place[] {
    const here = this.compared(place);
    const last = this.isLast(place);
    return this.differencesAt(place).flatMap(({ first, second }) => {
      const other = same(second, here) ? first : same(first, here) ? second : null;
      // The layer after tells the same when it is asked.
      if (!other || (other === second && other[0] === here[0])) return [];
      const epoch = last ? this.lastStep(other[0]) : place.epoch;
      return [{ model: other[0], layer: other[1], epoch }];
    });
  }

  /** The differences between the layers that are known at the epoch of a place. */
  private differencesAt(place: Place): Differences[] {
    const { differences } = this.isLast(place) ? this.payload : this.moment(place);
    return differences ?? NONE;
  }

  private isLast(place: Place): boolean {
    return this.moment(place) === this.model(place.model);
  }

  private lastStep(model: number): number | null {
    return this.epochs(model) ? this.epochs(model) - 1 : null;
  }

  /** Model and layer as they are compared, views as what they are of. */
  private compared(place: Place): [number, number] {
    const { sameAs } = this.listed(place);
    const of = sameAs === null ? -1 : this.indexOf(place.model, sameAs);
    return [place.model, of < 0 ? place.layer : of];
  }

  /** The greatest share of a class's neighbors that are of one other class, at any layer and epoch. */
  get greatestConfusion(): number {
    return this.once("greatest", () => {
      let greatest = 0;
      for (const { layers, epochs } of this.models) {
        for (const layer of [
          layers,
          ...(epochs?.moments.map((moment) => moment.layers) ?? []),
        ].flat()) {
          if ("unchanged" in layer) continue;
          greatest = Math.max(greatest, this.confusionOf(layer)?.greatest() ?? 0);
        }
      }
      return greatest;
    });
  }

  measure(name: string): Measure | undefined {
    return this.payload.measures.find((measure) => measure.name === name);
  }

  /** How many points each class has. */
  get counts(): number[] {
    return this.once("counts", () => {
      const counts = new Array<number>(this.classNames.length).fill(0);
      for (const label of this.labels) {
        if (label < counts.length) counts[label] = (counts[label] as number) + 1;
      }
      return counts;
    });
  }

  private once<T>(key: unknown, make: () => T): T {
    if (!this.cache.has(key)) this.cache.set(key, make());
    return this.cache.get(key) as T;
  }
}

function same(one: [number, number], other: [number, number]): boolean {
  return one[0] === other[0] && one[1] === other[1];
}

/** A layer of which an epoch knows nothing. */
function unknownLayer({ name, kind, shape }: Layer): Layer {
  return {
    name,
    kind,
    shape,
    sameAs: null,
    notes: [],
    map: null,
    klDivergence: null,
    hits: null,
    mapHits: null,
    neighbors: null,
    confusion: null,
    hulls: null,
    peeled: null,
    ellipses: null,
    scores: {},
  };
}
