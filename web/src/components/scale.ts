import { formatNumber } from "../data/format.ts";
import type { Measure } from "../data/payload.ts";
import type { Curve, Spot } from "./series.ts";

/** The upright axis of a chart: as the values are, or by the logarithm of what shares lack of 1. */
export interface Scale {
  errors: boolean;
  /** Least share that a value lacks of 1, as it is drawn: that of 1 itself would be nowhere. */
  floor: number;
  domain: [number, number] | null;
  /** Lines of chance and controls that are beyond the axis, such as "chance 0.100". */
  below: string[];
  above: string[];
  /** The names of these lines. */
  beyond: Set<string>;
}

/** Chance and controls are left out if the models' own lines had less of the axis than this share. */
const LEAST = 0.35;
/** Room above and below the lines, as a share of their height. */
const PAD = 0.08;
/** Where all shares are as near 1 as this, and one is as near as that, errors tell more. */
const [NEAR, NEAREST] = [0.7, 0.95];
/** Where even the narrowest line of shares is 1. */
const FINEST = 1e-4;
const ROUND = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999];
/** Pixels of a tick's number from the next. */
const APART = 16;

/** Whether a measure is a share of which more is better, so that it lacks something of 1. */
export function hasErrors({ range, better }: Measure): boolean {
  return range[0] === 0 && range[1] === 1 && better === "more";
}

/** Whether shares are so near 1 that only what they lack of it tells them apart. */
export function isNearOne(curves: Curve[]): boolean {
  return areNearOne(
    curves
      .filter(({ kind }) => kind === "model")
      .flatMap(({ runs }) => runs.flat().map(({ value }) => value)),
  );
}

export function areNearOne(values: number[]): boolean {
  return values.length > 1 && Math.min(...values) >= NEAR && Math.max(...values) >= NEAREST;
}

export function scaleOf(curves: Curve[], errors: boolean): Scale {
  const ofModels = curves.filter(({ kind }) => kind === "model");
  const values = ofModels.flatMap(({ runs }) => runs.flat().map(({ value }) => value));
  const scale: Scale = {
    errors,
    floor: floorOf(values),
    domain: null,
    below: [],
    above: [],
    beyond: new Set(),
  };
  const own = ends(ofModels, scale);
  const whole = ends(curves, scale);
  if (!own || !whole || own[1] - own[0] >= LEAST * (whole[1] - whole[0])) return scale;
  const pad = PAD * (own[1] - own[0] || 1);
  const domain: [number, number] = [own[0] - pad, own[1] + pad];
  scale.domain = domain;
  for (const { name, runs, kind } of curves) {
    if (kind === "model" || !runs.length) continue;
    const found = runs.flat().map(({ value }) => value);
    const beyond = (test: (at: number) => boolean) =>
      found.every((value) => test(drawn(value, scale)));
    const text = `${name} ${spanOf(found)}`;
    const isBelow = beyond((at) => at < domain[0]);
    if (!isBelow && !beyond((at) => at > domain[1])) continue;
    (isBelow ? scale.below : scale.above).push(text);
    scale.beyond.add(name);
  }
  return scale;
}

/** The least share that values lack of 1, as it is drawn: half of the least that is not 0. */
export function floorOf(values: number[]): number {
  const lacks = values.map((value) => 1 - value).filter((lack) => lack > 0);
  return lacks.length ? Math.max(FINEST, Math.min(...lacks) / 2) : FINEST;
}

export function spanOf(values: number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(formatNumber);
  return low === high ? (low ?? "") : `${low} to ${high}`;
}

/** Where a value stands on the axis. */
export function drawn(value: number, { errors, floor }: Pick<Scale, "errors" | "floor">): number {
  return errors ? -Math.log10(Math.max(1 - value, floor)) : value;
}

export function drawnSpot(spot: Spot, scale: Scale): Spot {
  const at = (value: number | null) => (value === null ? null : drawn(value, scale));
  return { ...spot, value: drawn(spot.value, scale), low: at(spot.low), high: at(spot.high) };
}

/** The least and the greatest of curves, on the axis. */
function ends(curves: Curve[], scale: Scale): [number, number] | null {
  const found = curves.flatMap(({ runs }) =>
    runs.flat().flatMap((spot) => {
      const { value, low, high } = drawnSpot(spot, scale);
      return [value, low ?? value, high ?? value];
    }),
  );
  return found.length ? [Math.min(...found), Math.max(...found)] : null;
}

/** Round shares that have room on an axis of errors. */
export function errorTicks(scale: Scale, low: number, high: number, height: number): number[] {
  const kept: number[] = [];
  const pixels = (at: number) => ((at - low) / (high - low || 1)) * height;
  for (const share of ROUND) {
    const at = drawn(share, { ...scale, floor: FINEST / 10 });
    const last = kept.at(-1);
    if (at < low || at > high) continue;
    if (last === undefined || pixels(at) - pixels(drawn(last, scale)) >= APART) kept.push(share);
  }
  return kept;
}
