import { unpack, unpackShares } from "./pack.ts";
import type { Place, Study } from "./study.ts";

/** A point whose neighbors say at several layers that it is of another class. */
export interface Suspect {
  point: number;
  /** The class that they are of. */
  class: number;
  /** At how many of the layers most of its neighbors are of that class. */
  votes: number;
  /** The mean share of these neighbors there. */
  share: number;
  /** How sure the model is of that class; 0 where it predicts another. */
  confidence: number;
}

/** The labels to check at a moment, the most suspicious first, as the study's summary has them. */
export interface Suspects {
  found: Suspect[];
  /** How many layers were asked; 0 where too few have neighbors. */
  layers: number;
  /** So many that classes rather overlap. */
  overlap: boolean;
}

const cache = new WeakMap<object, Suspects>();

export function suspects(study: Study, moment: Pick<Place, "model" | "epoch">): Suspects {
  const packed = study.moment(moment).suspects;
  if (!packed) return { found: [], layers: 0, overlap: false };
  const known = cache.get(packed);
  if (known) return known;
  const [points, classes, votes] = [packed.points, packed.classes, packed.votes].map(unpack);
  const shares = unpackShares(packed.shares);
  const [predictions, confidence] = [study.predictions(moment), study.confidence(moment)];
  const found = Array.from(points ?? [], (point, i) => {
    const other = classes?.[i] as number;
    return {
      point,
      class: other,
      votes: votes?.[i] as number,
      share: shares[i] as number,
      confidence: predictions?.[point] === other ? (confidence?.[point] ?? 1) : 0,
    };
  });
  const listed = { found, layers: packed.layers, overlap: packed.overlap };
  cache.set(packed, listed);
  return listed;
}
