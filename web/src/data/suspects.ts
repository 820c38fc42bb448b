import { neighborLayers } from "./follow.ts";
import type { Place, Study } from "./study.ts";

/** A point whose neighbors say at several layers that it is of another class. */
export interface Suspect {
  point: number;
  /** The class that they are of. */
  class: number;
  /** At how many of the layers most of its neighbors are of that class. */
  votes: number;
  layers: number;
  /** The mean share of these neighbors, over all layers. */
  share: number;
  /** How sure the model is of that class; 0 where it predicts another. */
  confidence: number;
}

const cache = new WeakMap<Study, Map<string, Suspect[]>>();

/**
 * The points with most neighbors of one other class at several layers: those at most layers first,
 * then of the greatest share, then those of which the model is surest.
 */
export function suspects(
  study: Study,
  { model, epoch }: Pick<Place, "model" | "epoch">,
): Suspect[] {
  const key = `${model} ${epoch}`;
  const known = cache.get(study) ?? new Map<string, Suspect[]>();
  cache.set(study, known);
  const found = known.get(key) ?? rank(study, { model, epoch });
  known.set(key, found);
  return found;
}

function rank(study: Study, moment: Pick<Place, "model" | "epoch">): Suspect[] {
  if (study.values) return [];
  const layers = neighborLayers(study, moment);
  const tables = layers.flatMap((layer) => study.neighborTable({ ...moment, layer }) ?? []);
  const [predictions, confidence] = [study.predictions(moment), study.confidence(moment)];
  const classes = study.classNames.length;
  const [votes, shares] = [new Uint16Array(classes), new Float64Array(classes)];
  const found: Suspect[] = [];
  const counts = new Uint16Array(classes);
  for (let i = 0; i < study.n; i++) {
    if (!study.isLabeled(i)) continue;
    const seen: number[] = [];
    for (const { k, indices } of tables) {
      let all = 0;
      const here: number[] = [];
      for (let at = i * k; at < (i + 1) * k; at++) {
        const other = indices[at] as number;
        if (other >= study.n || !study.isLabeled(other)) continue;
        const label = study.labels[other] as number;
        if (!counts[label]) here.push(label);
        counts[label] = (counts[label] as number) + 1;
        all++;
      }
      for (const label of here) {
        const share = (counts[label] as number) / all;
        if (!shares[label]) seen.push(label);
        shares[label] = (shares[label] as number) + share / tables.length;
        if (share > 0.5) votes[label] = (votes[label] as number) + 1;
        counts[label] = 0;
      }
    }
    const own = study.labels[i] as number;
    let best = -1;
    for (const label of seen) {
      if (label === own || !votes[label]) continue;
      const more = votes[label] - (votes[best] ?? 0);
      if (
        best < 0 ||
        more > 0 ||
        (more === 0 && (shares[label] as number) > (shares[best] as number))
      )
        best = label;
    }
    if (best >= 0 && (votes[best] as number) > (votes[own] as number)) {
      found.push({
        point: i,
        class: best,
        votes: votes[best] as number,
        layers: tables.length,
        share: shares[best] as number,
        confidence: predictions?.[i] === best ? (confidence?.[i] ?? 1) : 0,
      });
    }
    for (const label of seen) votes[label] = shares[label] = 0;
  }
  return found.sort(
    (a, b) =>
      b.votes - a.votes || b.share - a.share || b.confidence - a.confidence || a.point - b.point,
  );
}
