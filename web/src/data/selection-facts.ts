import type { Place, Study } from "./study.ts";

export interface Mistake {
  label: number;
  predicted: number;
  count: number;
}

/** The share of the labeled points that are predicted right; null where nothing is known. */
export function accuracyOf(study: Study, place: Place, points: Iterable<number>): number | null {
  const predictions = study.predictions(place);
  if (!predictions) return null;
  let [right, all] = [0, 0];
  for (const i of points) {
    if (!study.isLabeled(i)) continue;
    all++;
    if (predictions[i] === study.labels[i]) right++;
  }
  return all ? right / all : null;
}

/** For what the points of a selection are taken, the most frequent mistakes first. */
export function mistakesOf(study: Study, place: Place, points: number[]): Mistake[] {
  const predictions = study.predictions(place);
  const counts = new Map<string, Mistake>();
  for (const i of points) {
    const [label, predicted] = [study.labels[i] as number, predictions?.[i]];
    if (predicted === undefined || !study.isLabeled(i) || predicted === label) continue;
    const key = `${label}-${predicted}`;
    const found = counts.get(key) ?? { label, predicted, count: 0 };
    found.count++;
    counts.set(key, found);
  }
  return [...counts.values()].sort(
    (a, b) => b.count - a.count || a.label - b.label || a.predicted - b.predicted,
  );
}

/** The mean Neighborhood Hit of points at a place, in the representation; null where it is not known. */
export function meanHit(study: Study, place: Place, points: Iterable<number>): number | null {
  const hits = study.hits(place);
  if (!hits) return null;
  let [sum, all] = [0, 0];
  for (const i of points) {
    if (!study.isLabeled(i)) continue;
    sum += hits[i] as number;
    all++;
  }
  return all ? sum / all : null;
}

/** The mean Neighborhood Hit of points over the layers of a model. */
export function hitsOver(study: Study, place: Place, points: number[]): (number | null)[] {
  return study
    .model(place.model)
    .layers.map((_, layer) => meanHit(study, { ...place, layer }, points));
}
