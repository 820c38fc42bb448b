import { type Decisions, settleDecisions } from "../data/decisions.ts";
import type { Measure, Score } from "../data/payload.ts";
import { type SavedView, settleViews } from "../data/saved-views.ts";
import type { Place, Study } from "../data/study.ts";

export const COLORS = ["class", "prediction", "hit", "correct"] as const;
export const OVERLAYS = ["hulls", "peeled", "ellipses", "contours"] as const;
export type OwnColor = (typeof COLORS)[number];
/** A column of the metadata has an at sign before its name. */
export type Color = OwnColor | `@${string}`;
export type Overlay = (typeof OVERLAYS)[number];

export type Zoom = [scale: number, x: number, y: number];

/** Most characters of what is searched for. */
const LONGEST = 300;

/** All that a link restores; itself the place that is shown. */
export interface ViewState extends Place {
  /** What is shown at its side. */
  other: Place | null;
  color: Color;
  overlays: Overlay[];
  /** Whether the classes are named on the map. */
  names: boolean;
  /** Whether classes have shapes beside their colors. */
  shapes: boolean;
  /** Whether the way of the held and selected points over the layers is drawn. */
  trails: boolean;
  /** The only classes shown; null for all. */
  classes: number[] | null;
  /** Sample indices, ascending. */
  selection: number[];
  /** The only points shown: sample indices, ascending; none for all. */
  only: number[];
  /** What these were found by, in words; "" for nothing. */
  onlyBy: string;
  /** The point whose details stay open. */
  focus: number | null;
  /** Names of the measures drawn as curves. */
  measures: string[];
  /** The class whose worst points are shown. */
  worst: number | null;
  /** What the selection was found by, in words; "" for nothing. */
  find: string;
  /** Another selection, to which this one is compared: sample indices, ascending. */
  against: number[];
  /** Whether shares are drawn by the logarithm of what they lack of 1; null where they are near 1. */
  errors: boolean | null;
  /** How near one looks, and how far the middle of the map is moved; null for the whole map. */
  zoom: Zoom | null;
  /** What a person says of labels, by point. */
  decisions: Decisions;
  /** What a person keeps: views with names and notes. */
  views: SavedView[];
  /** Only the map and its sliders are shown, as in a frame of another page. */
  bare: boolean;
}

/** What most people look at first, in this order. */
const FIRST: ((measure: Measure) => boolean)[] = [
  (m) => /_r2$/.test(m.name) && !isMap(m),
  (m) => m.name === "linear_r2",
  (m) => /_r2$/.test(m.name) && isMap(m),
  (m) => isHit(m) && !isMap(m),
  (m) => isHit(m) && isMap(m),
  (m) => /probe/.test(m.name),
  (m) => /two_?nn|intrinsic/.test(m.name),
  (m) => /capacity/.test(m.name) && !/radius|dimension|correlation/.test(m.name),
  (m) => /silhouette/.test(m.name),
];

function isHit(measure: Measure): boolean {
  return /neighbou?rhood_hit|^nh\b/i.test(measure.name);
}

function isMap(measure: Measure): boolean {
  return /map/i.test(measure.space);
}

export function defaultMeasures(study: Study): string[] {
  const all = study.payload.measures;
  const chosen = FIRST.flatMap((test) => all.find(test)?.name ?? []);
  return (chosen.length ? [...new Set(chosen)] : all.slice(0, 6).map(({ name }) => name)).slice(
    0,
    6,
  );
}

/** The state of a page just opened: the last layer that has a map would give the end away. */
export function initialState(study: Study): ViewState {
  const layers = study.models[0]?.layers ?? [];
  const first = layers.findIndex((_, i) => study.hasMap({ model: 0, layer: i, epoch: null }));
  return settle(study, {
    model: 0,
    layer: Math.max(0, first),
    epoch: null,
    other: null,
    color: "class",
    // Of very many points the contours tell what the dots hide.
    overlays: study.drawn && !study.values ? ["contours"] : [],
    names: true,
    shapes: false,
    trails: false,
    classes: null,
    selection: [],
    only: [],
    onlyBy: "",
    focus: null,
    measures: defaultMeasures(study),
    worst: null,
    find: "",
    against: [],
    errors: null,
    zoom: null,
    decisions: {},
    views: study.payload.views ?? [],
    bare: false,
  });
}

/** Make a state fit the data, whatever was asked for. */
export function settle(study: Study, wanted: ViewState): ViewState {
  const names = study.labelNames.length;
  const classes = wanted.classes && indices(wanted.classes, names);
  const known = new Set(study.payload.measures.map(({ name }) => name));
  const other = wanted.other;
  const place = settlePlace(study, wanted);
  return {
    ...place,
    other: other && settlePlace(study, other),
    color: isKnown(study, place.model, wanted.color) ? wanted.color : "class",
    overlays: OVERLAYS.filter((overlay) => wanted.overlays.includes(overlay)),
    names: wanted.names,
    shapes: wanted.shapes,
    trails: wanted.trails,
    classes: classes && classes.length > 0 && classes.length < names ? classes : null,
    selection: indices(wanted.selection, study.n),
    ...settleOnly(study, wanted),
    focus: within(wanted.focus, study.n),
    measures: [...new Set(wanted.measures)].filter((name) => known.has(name)),
    worst: within(wanted.worst, study.classNames.length),
    find: wanted.find.slice(0, LONGEST),
    against: indices(wanted.against, study.n),
    errors: wanted.errors,
    zoom: settleZoom(wanted.zoom),
    decisions: settleDecisions(study, wanted.decisions),
    views: settleViews(wanted.views),
    bare: wanted.bare,
  };
}

/** The name of the column that a color is of; null for other colors. */
export function columnIn(color: Color): string | null {
  return color.startsWith("@") ? color.slice(1) : null;
}

function isKnown(study: Study, model: number, color: Color): boolean {
  const column = columnIn(color);
  if (column !== null) return study.columns.some(({ name }) => name === column);
  return colors(study, model).includes(color as OwnColor);
}

/** Of all points no filter is left. */
function settleOnly(study: Study, wanted: ViewState): Pick<ViewState, "only" | "onlyBy"> {
  const only = indices(wanted.only, study.n);
  if (!only.length || only.length === study.n) return { only: [], onlyBy: "" };
  return { only, onlyBy: wanted.onlyBy.slice(0, LONGEST) };
}

/** A view in which something can be seen; null for that of the whole map. */
export function settleZoom(wanted: Zoom | null): Zoom | null {
  if (!wanted || wanted.length !== 3 || !wanted.every(Number.isFinite)) return null;
  const [scale, x, y] = wanted;
  if (scale < 0.2 || scale > 200 || Math.abs(x) > scale + 1 || Math.abs(y) > scale + 1) return null;
  const round = (value: number) => Math.round(value * 1000) / 1000 + 0;
  const zoom: Zoom = [round(scale), round(x), round(y)];
  return zoom[0] === 1 && zoom[1] === 0 && zoom[2] === 0 ? null : zoom;
}

/** A place that there is; of epochs the last where none is named. */
function settlePlace(study: Study, wanted: Place): Place {
  const model = clamp(wanted.model, study.models.length);
  const epochs = study.epochs(model);
  return {
    model,
    layer: clamp(wanted.layer, study.model(model).layers.length),
    epoch: epochs ? (wanted.epoch === null ? epochs - 1 : clamp(wanted.epoch, epochs)) : null,
  };
}

/** The colorings there is data for, at any epoch. */
export function colors(study: Study, model: number): OwnColor[] {
  const epochs = [null, ...Array(study.epochs(model)).keys()];
  const predicted = epochs.some((epoch) => study.predictions({ model, epoch }));
  const hits = epochs.some((epoch) =>
    study
      .moment({ model, epoch })
      .layers.some((layer) => !("unchanged" in layer) && (layer.hits || layer.mapHits)),
  );
  return COLORS.filter((color) => color === "class" || (color === "hit" ? hits : predicted));
}

function clamp(value: number, length: number): number {
  return Number.isInteger(value) ? Math.min(Math.max(0, value), Math.max(0, length - 1)) : 0;
}

function within(value: number | null, length: number): number | null {
  return value !== null && Number.isInteger(value) && value >= 0 && value < length ? value : null;
}

function indices(values: number[], length: number): number[] {
  const ascends = (value: number, at: number) =>
    Number.isInteger(value) &&
    value >= 0 &&
    value < length &&
    (at === 0 || value > (values[at - 1] as number));
  // The same list tells that nothing changed.
  if (values.every(ascends)) return values;
  const valid = values.filter((value) => Number.isInteger(value) && value >= 0 && value < length);
  return [...new Set(valid)].sort((a, b) => a - b);
}

/** The score of a measure at a place; where its epoch lacks it, that it was not measured then. */
export function scoreOf(study: Study, place: Place, measure: string): Score | null {
  const score = study.score(place, measure);
  if (score || place.epoch === null) return score;
  const reason = `not measured at this layer at epoch ${study.epochName(place.model, place.epoch)}`;
  return {
    value: null,
    reason,
    interval: null,
    null: null,
    nullInterval: null,
    perClass: null,
    notes: [],
  };
}
