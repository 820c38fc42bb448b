import type { Measure, Score } from "../data/payload.ts";
import type { Study } from "../data/study.ts";

export const COLOURS = ["class", "prediction", "hit", "correct"] as const;
export const OVERLAYS = ["hulls", "peeled", "ellipses"] as const;
export type Colour = (typeof COLOURS)[number];
export type Overlay = (typeof OVERLAYS)[number];

export interface Place {
  model: number;
  layer: number;
}

/** All that a link restores. */
export interface ViewState {
  model: number;
  /** Index into the model's layers. */
  layer: number;
  /** Index into the model's epochs; null where there are none. */
  epoch: number | null;
  /** What is shown at its side. */
  other: Place | null;
  colour: Colour;
  overlays: Overlay[];
  /** Whether the classes are named on the map. */
  names: boolean;
  /** The only classes shown; null for all. */
  classes: number[] | null;
  /** Sample indices, ascending. */
  selection: number[];
  /** The point whose details stay open. */
  focus: number | null;
  /** Names of the measures drawn as curves. */
  measures: string[];
  /** The class whose worst points are shown. */
  worst: number | null;
}

/** What most people look at first, in this order. */
const FIRST: ((measure: Measure) => boolean)[] = [
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
  return (chosen.length ? [...new Set(chosen)] : all.slice(0, 6).map(({ name }) => name)).slice(0, 6);
}

/** The state of a page just opened: the last layer that has a map would give the end away. */
export function initialState(study: Study): ViewState {
  const layers = study.models[0]?.layers ?? [];
  const first = layers.findIndex((_, i) => study.hasMap(0, i));
  return settle(study, {
    model: 0,
    layer: Math.max(0, first),
    epoch: null,
    other: null,
    colour: "class",
    overlays: [],
    names: true,
    classes: null,
    selection: [],
    focus: null,
    measures: defaultMeasures(study),
    worst: null,
  });
}

/** Make a state fit the data, whatever was asked for. */
export function settle(study: Study, wanted: ViewState): ViewState {
  const model = clamp(wanted.model, study.models.length);
  const layers = study.model(model).layers.length;
  const epochs = study.model(model).epochs?.epochs.length ?? 0;
  const classes = wanted.classes && indices(wanted.classes, study.classNames.length);
  const known = new Set(study.payload.measures.map(({ name }) => name));
  const other = wanted.other;
  return {
    model,
    layer: clamp(wanted.layer, layers),
    epoch: epochs ? (wanted.epoch === null ? epochs - 1 : clamp(wanted.epoch, epochs)) : null,
    other: other && {
      model: clamp(other.model, study.models.length),
      layer: clamp(other.layer, study.model(clamp(other.model, study.models.length)).layers.length),
    },
    colour: colours(study, model).includes(wanted.colour) ? wanted.colour : "class",
    overlays: OVERLAYS.filter((overlay) => wanted.overlays.includes(overlay)),
    names: wanted.names,
    classes: classes && classes.length > 0 && classes.length < study.classNames.length ? classes : null,
    selection: indices(wanted.selection, study.n),
    focus: within(wanted.focus, study.n),
    measures: [...new Set(wanted.measures)].filter((name) => known.has(name)),
    worst: within(wanted.worst, study.classNames.length),
  };
}

/** The colourings there is data for. */
export function colours(study: Study, model: number): Colour[] {
  const predicted = study.predictions(model) !== null;
  const hits = study.model(model).layers.some(({ hits, mapHits }) => hits || mapHits);
  return COLOURS.filter(
    (colour) => colour === "class" || (colour === "hit" ? hits : predicted),
  );
}

function clamp(value: number, length: number): number {
  return Number.isInteger(value) ? Math.min(Math.max(0, value), Math.max(0, length - 1)) : 0;
}

function within(value: number | null, length: number): number | null {
  return value !== null && Number.isInteger(value) && value >= 0 && value < length ? value : null;
}

function indices(values: number[], length: number): number[] {
  const valid = values.filter((value) => Number.isInteger(value) && value >= 0 && value < length);
  return [...new Set(valid)].sort((a, b) => a - b);
}

/** The score of a measure in the state's place, at its epoch. */
export function scoreAt(study: Study, state: ViewState, measure: string): Score | null {
  return scoreOf(study, state.model, state.layer, state.epoch, measure);
}

export function scoreOf(
  study: Study,
  model: number,
  layer: number,
  epoch: number | null,
  measure: string,
): Score | null {
  const score = study.score(model, layer, measure);
  const axis = study.model(model).epochs;
  if (!axis || epoch === null || epoch === axis.epochs.length - 1) return score;
  const value = axis.layers[study.layer(model, layer).name]?.scores[measure]?.[epoch] ?? null;
  return {
    value,
    ...(value === null ? { reason: "not measured at this epoch" } : {}),
    interval: null,
    null: score?.null ?? null,
    nullInterval: score?.nullInterval ?? null,
    perClass: null,
    notes: [],
  };
}
