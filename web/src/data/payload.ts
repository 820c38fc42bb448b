/** What the page is given: the contract with the Python that writes it. */

import type { SavedView } from "./saved-views.ts";

export interface Packed {
  dtype: "u8" | "u16" | "u32" | "f32" | "f64";
  /** Little-endian numbers: base64 in a file, bytes in a notebook. */
  data: string | Uint8Array<ArrayBuffer>;
}

/** A picture in a notebook; in a file it is a data URI. */
export interface Picture {
  type: string;
  data: Uint8Array<ArrayBuffer>;
}

/** u16, 0..65535 over the range. */
export interface MapCoords {
  x: Packed;
  y: Packed;
  xRange: [number, number];
  yRange: [number, number];
}

export type Point = [number, number];
export type Polygon = Point[];

export interface Ellipse {
  center: Point;
  axes: [number, number];
  /** Radians. */
  angle: number;
}

export interface Score {
  value: number | null;
  reason?: string;
  interval: [number, number] | null;
  /** Whether the interval is for this map only. */
  givenMap?: boolean;
  null: number | null;
  nullInterval: [number, number] | null;
  perClass: (number | null)[] | null;
  /** How many samples it was computed from. */
  nSamples?: number;
  notes: string[];
}

export interface Layer {
  name: string;
  kind: string;
  shape: number[];
  sameAs: string | null;
  notes: string[];
  /** In a notebook: its arrays have not come yet. */
  pending?: true;
  /** What was done to a layer of many numbers before it was measured, with its distortion. */
  reduction?: string | null;
  /** How tokens or pixels were pooled to one row a sample. */
  pool?: string;
  map: MapCoords | null;
  klDivergence: number | null;
  /** u8: point-wise Neighborhood Hit in the representation, 0..255 for 0..1. */
  hits: Packed | null;
  mapHits: Packed | null;
  /** Neighbors that both of them count. */
  hitK?: number;
  /** n*k row-major, nearest first, in the representation; n where there are no more. */
  neighbors: { k: number; indices: Packed } | null;
  confusion: PackedConfusion | null;
  hulls: Polygon[][] | null;
  peeled: Polygon[][] | null;
  ellipses: (Ellipse | null)[] | null;
  scores: Record<string, Score>;
  /** Of all samples, where those of the page are landmarks among more. */
  density?: LayerDensity;
}

/** How many samples of each class lie in each cell of a grid on the map, without empty cells. */
export interface LayerDensity {
  samples: number;
  /** Cells of a side. */
  size: number;
  xRange: [number, number];
  yRange: [number, number];
  /** How many cells each class has, then the unlabeled. */
  lengths: Packed;
  /** row * size + column, from the least y and x. */
  cells: Packed;
  counts: Packed;
}

/** Row i: the shares of class i's neighbors that are of other classes and its own, without zeros. */
export interface PackedConfusion {
  /** How many entries each row has. */
  lengths: Packed;
  /** Of each entry the class. */
  columns: Packed;
  /** u16: 0..65535 for 0..1. */
  shares: Packed;
}

/** A layer that is the same as in the model itself, such as the inputs. */
export interface Unchanged {
  name: string;
  unchanged: true;
}

/** Earlier moments of the training; the last step is the model itself. */
export interface EpochAxis {
  /** One for each moment, and that of the model itself: null where it is of none that has a number. */
  epochs: (number | null)[];
  moments: Moment<Layer | Unchanged>[];
}

export interface Controls {
  name: string;
  scores: Record<string, Record<string, number | null>>;
}

/** Points most of whose neighbors are of one other class at several layers. */
export interface SuspectedLabels {
  /** How many layers were asked. */
  layers: number;
  /** So many that classes rather overlap. */
  overlap: boolean;
  points: Packed;
  /** The class that their neighbors are of. */
  classes: Packed;
  /** At how many layers they are. */
  votes: Packed;
  /** The mean share of the neighbors there that are, u8. */
  shares: Packed;
}

/** What is known of a model at one moment of its training. */
export interface Moment<L> {
  accuracy: number | null;
  predictions: Packed | null;
  confidence: Packed | null;
  layers: L[];
  controls: Controls[];
  /** What is notable, as sentences; with the model's name where there are several. */
  summary?: string[];
  /** Labels to check, the most suspicious first; nothing where too few layers have neighbors. */
  suspects?: SuspectedLabels;
  /** Of each layer and the one before, at an earlier epoch; those of the model are the payload's. */
  differences?: Differences[];
}

export interface Model extends Moment<Layer> {
  name: string;
  epochs: EpochAxis | null;
}

export interface Measure {
  name: string;
  title: string;
  family: string;
  space: string;
  better: "more" | "less" | null;
  range: [number | null, number | null];
}

export interface Thumbnails {
  sheets: (string | Picture)[];
  perSheet: number;
  columns: number;
  width: number;
  height: number;
}

/** Another labeling of the same samples: where its payload differs from the first one's. */
export interface Labeling {
  name: string;
  /** A path alone is of something that is not there. */
  changes: [path: (string | number)[], value?: unknown][];
}

/** How surely the scores of two layers differ. */
export interface Differences {
  /** Model and layer. */
  first: [number, number];
  second: [number, number];
  /** How many comparisons the p values are corrected for. */
  count: number;
  /** Of the second less the first: the ends of the 95 % interval, and the corrected p value. */
  scores: Record<string, [low: number, high: number, p: number]>;
}

/** What else is known of each sample. */
export interface MetadataColumn {
  name: string;
  kind: "number" | "category" | "boolean" | "date" | "text";
  /** From 1, with 0 for what is missing; of numbers (low + (code - 1) * step) / per. */
  codes?: Packed;
  low?: number;
  step?: number;
  per?: number;
  /** Numbers that are no codes, NaN where one is missing; dates are milliseconds since 1970. */
  floats?: Packed;
  categories?: string[];
  texts?: (string | null)[];
  /** Where longer texts are cut: most characters. */
  cut?: number;
}

/** How alike the layers of two moments are. */
export interface Similarity {
  measure: "linear_cka" | "shared_neighbors";
  /** Model, and its earlier moment or null. */
  first: [number, number | null];
  second: [number, number | null];
  /** Layers of the first and of the second. */
  rows: number[];
  columns: number[];
  /** 0..65534 for 0..1, 65535 where it is not known; the upper triangle where both are the same. */
  values: Packed;
  samples: number;
  chance: number | null;
  /** Of how many neighbors the share is. */
  k?: number;
}

export interface Payload {
  format: 3;
  title: string;
  unknot: string;
  nSamples: number;
  /** Where not all samples are shown: of how many they are, and the number of each. */
  sampled?: { of: number; indices: Packed };
  classNames: string[];
  /** Of the classes; one more where a sample is unlabeled. */
  labels: Packed;
  /** How many samples are unlabeled. */
  unlabeled?: number;
  /** Numbers that are the labels: u16, 0..65534 over the range, 65535 where one is missing. */
  values?: { data: Packed; range: [number, number] } | null;
  /** All labelings, where there are several; the first changes nothing. */
  labelings?: Labeling[] | null;
  /** All kinds of maps, such as t-SNE's and UMAP's, where there are several; as labelings. */
  maps?: Labeling[] | null;
  predictions: Packed | null;
  confidence: Packed | null;
  thumbnails: Thumbnails | null;
  snippets: string[] | null;
  metadata?: MetadataColumn[];
  measures: Measure[];
  models: Model[];
  /** Of each layer and the one before, and of the layers of two models. */
  differences?: Differences[];
  /** Layer by layer, within models and between them, and why something is missing. */
  similarities?: { tables: Similarity[]; notes: string[] };
  figure: string | Picture | null;
  /** What is notable, as sentences. */
  summary?: string[];
  settings: Record<string, unknown>;
  /** What a person kept of a page that was saved. */
  views?: SavedView[];
}
