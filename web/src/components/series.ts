import type { Place, Study } from "../data/study.ts";
import { type ViewState, scoreOf } from "../state/view-state.ts";
import { epochWords } from "./places.ts";

export type Axis = "layers" | "epochs";

export interface Spot {
  at: number;
  value: number;
  low: number | null;
  high: number | null;
}

/** How the lines over the layers are drawn. */
export interface How {
  /** Each score less that of the untrained network. */
  less: boolean;
  /** Layers stand by their depth, from the first to the last of their model. */
  depth: boolean;
}

export const PLAIN: How = { less: false, depth: false };

/** A line as it is drawn: whole where its values follow each other, broken where one is missing. */
export interface Curve {
  name: string;
  kind: "model" | "control" | "null";
  color: string;
  runs: Spot[][];
  /** Between neighboring layers of a model that stand apart on the axis of another. */
  bridges: [Spot, Spot][];
}

/** A model at an epoch, or over the epochs a layer of it, whose values are a line of their own. */
export interface Series {
  name: string;
  place: Place;
}

/** Whose lines are drawn: what is shown first, then what is beside it, then the other models. */
export function seriesOf(study: Study, state: ViewState, axis: Axis): Series[] {
  const { model, layer, epoch, other } = state;
  const here: Place = { model, layer, epoch };
  if (axis === "epochs") {
    const found = [here];
    if (other?.model === model && other.layer !== layer) found.push(other);
    return found.map((place) => ({ name: study.listed(place).name, place }));
  }
  const found = [here];
  if (other && (other.model !== model || other.epoch !== epoch)) found.push(other);
  for (const rest of study.models.keys()) {
    if (found.some((place) => place.model === rest)) continue;
    found.push({
      model: rest,
      layer: 0,
      epoch: study.epochs(rest) ? study.epochs(rest) - 1 : null,
    });
  }
  return found.map((place) => ({
    name: [study.model(place.model).name, ...epochWords(study, place)].join(", "),
    place,
  }));
}

/** The lines of a measure: of the series, of controls, and what chance would give. */
export function curvesOf(
  study: Study,
  state: ViewState,
  measure: string,
  axis: Axis,
  colors: string[],
  how: How = PLAIN,
): Curve[] {
  const less = axis === "layers" && how.less;
  const series = seriesOf(study, state, axis).map(({ name, place }, rank): Curve => {
    const places = axis === "epochs" ? overEpochs(study, place) : overLayers(study, place);
    const spots = places.map((each) => {
      const at =
        axis === "epochs" ? (each.epoch as number) : placeOn(study, state.model, each, how);
      const spot = spotOf(scoreOf(study, each, measure), at);
      if (!less || !spot) return spot;
      const control = controlOf(study, each, measure);
      // The interval of a difference is another one, which is not known here.
      return control === null
        ? null
        : { ...spot, value: spot.value - control, low: null, high: null };
    });
    const color = colors[Math.min(rank, colors.length - 1)] as string;
    return { name, kind: "model", color, ...join(spots) };
  });
  if (axis === "epochs") return series;
  if (less) {
    const zero = overLayers(study, state).map(({ layer }) => ({
      at: layer,
      value: 0,
      low: null,
      high: null,
    }));
    return [
      ...series,
      { name: "untrained", kind: "control", color: "var(--muted)", ...join(zero) },
    ];
  }
  const gray = "var(--muted)";
  const places = overLayers(study, state);
  const bare = (at: number, value: number | null | undefined): Spot | null =>
    value === null || value === undefined ? null : { at, value, low: null, high: null };
  const chance = join(places.map((place) => bare(place.layer, study.score(place, measure)?.null)));
  const controls = study.moment(state).controls.map(({ name, scores }): Curve => {
    const spots = places.map((place) =>
      bare(place.layer, scores[study.layer(place).name]?.[measure]),
    );
    return { name, kind: "control", color: gray, ...join(spots) };
  });
  return [...series, ...controls, { name: "chance", kind: "null", color: gray, ...chance }];
}

/** Where a layer of a model stands on the axis of another: by its name, or by its depth. */
export function placeOn(
  study: Study,
  axis: number,
  { model, layer }: Pick<Place, "model" | "layer">,
  how: How,
): number {
  if (!how.depth || axis === model) return sameLayer(study, axis, model, layer);
  const [from, to] = [study.model(model).layers.length, study.model(axis).layers.length];
  return (layer / Math.max(1, from - 1)) * (to - 1);
}

/** The score of the first control, the untrained network, at a place; null where it has none. */
export function controlOf(study: Study, place: Place, measure: string): number | null {
  const [control] = study.moment(place).controls;
  return control?.scores[study.layer(place).name]?.[measure] ?? null;
}

function overLayers(study: Study, { model, epoch }: Place): Place[] {
  return study.model(model).layers.map((_, layer) => ({ model, layer, epoch }));
}

function overEpochs(study: Study, place: Place): Place[] {
  return Array.from({ length: study.epochs(place.model) }, (_, epoch) => ({ ...place, epoch }));
}

function spotOf(score: ReturnType<typeof scoreOf>, at: number): Spot | null {
  if (!score || score.value === null || !Number.isFinite(score.value)) return null;
  const [low, high] = score.interval ?? [null, null];
  return { at, value: score.value, low, high };
}

/** Values in the order of their model: a missing one, null, breaks the line. */
export function join(spots: (Spot | null)[]): Pick<Curve, "runs" | "bridges"> {
  const runs: Spot[][] = [];
  const bridges: [Spot, Spot][] = [];
  let last: Spot | null = null;
  // By depth, the layers of a model of few layers stand apart, and are one line all the same.
  const even = isEven(spots);
  for (const spot of spots) {
    if (spot) {
      const apart = last !== null && !even && Math.abs(spot.at - last.at) > 1;
      if (last && apart) bridges.push([last, spot]);
      if (last && !apart) runs.at(-1)?.push(spot);
      else runs.push([spot]);
    }
    last = spot;
  }
  return { runs, bridges };
}

function isEven(spots: (Spot | null)[]): boolean {
  const steps = spots.flatMap((spot, i) => {
    const before = spots[i - 1];
    return spot && before ? [spot.at - before.at] : [];
  });
  const [first] = steps;
  return first !== undefined && first % 1 !== 0 && steps.every((s) => Math.abs(s - first) < 1e-9);
}

/** The parts of a run whose values have intervals. */
export function bands(run: Spot[]): Spot[][] {
  return join(run.map((spot) => (spot.low === null || spot.high === null ? null : spot))).runs;
}

/** Where a layer of one model stands on the axis of another: by name, else by place. */
export function sameLayer(study: Study, axis: number, model: number, layer: number): number {
  if (axis === model) return layer;
  const named = study.indexOf(axis, study.listed({ model, layer }).name);
  if (named >= 0) return named;
  const [from, to] = [study.model(model).layers.length, study.model(axis).layers.length];
  return from === to ? layer : Math.round((layer / Math.max(1, from - 1)) * (to - 1));
}

/** The epoch of another model that has the same number; null, its last, where there is none. */
export function sameEpoch(study: Study, axis: number, { model, epoch }: Place): number | null {
  if (epoch === null) return null;
  const name = study.epochName(model, epoch);
  return (
    [...Array(study.epochs(axis)).keys()].find((step) => study.epochName(axis, step) === name) ??
    null
  );
}

/** The names of the steps of the axis. */
export function stepNames(study: Study, model: number, axis: Axis): string[] {
  if (axis === "layers") return study.shortNames(model).names;
  return Array.from({ length: study.epochs(model) }, (_, step) => study.epochName(model, step));
}
