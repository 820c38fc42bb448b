import { mappedLayers, neighborLayers } from "./follow.ts";
import type { Place, Study } from "./study.ts";

/** A layer of a model, as a row or a column of a table. */
export type Spot = Pick<Place, "model" | "layer" | "epoch">;

/** Points that are asked for their neighbors, at most. */
export const ASKED = 2000;

/** The layers of two models, or of one twice, whose neighbors are known. */
export function spotsOf(study: Study, { model, epoch }: Pick<Place, "model" | "epoch">): Spot[] {
  const mapped = new Set(mappedLayers(study, { model, epoch }));
  return neighborLayers(study, { model, epoch })
    .filter((layer) => mapped.has(layer) || !mapped.size)
    .map((layer) => ({ model, layer, epoch }));
}

/** Which share of the neighbors at one layer are neighbors at another, over all points. */
export function keptBetween(study: Study, rows: Spot[], columns: Spot[]): number[][] {
  const step = Math.max(1, study.n / ASKED);
  const points = Array.from({ length: Math.min(study.n, ASKED) }, (_, i) => Math.floor(i * step));
  const near = (spot: Spot) => points.map((point) => study.neighbors(spot, point));
  const [left, top] = [rows.map(near), columns.map(near)];
  return left.map((one) =>
    top.map((other) => {
      let [kept, all] = [0, 0];
      one.forEach((mine, i) => {
        const theirs = other[i] as number[];
        const count = Math.min(mine.length, theirs.length);
        const known = new Set(theirs.slice(0, count));
        for (let at = 0; at < count; at++) if (known.has(mine[at] as number)) kept++;
        all += count;
      });
      return all ? kept / all : 0;
    }),
  );
}
