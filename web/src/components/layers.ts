import { type Context, change } from "../context.ts";
import type { Place } from "../data/study.ts";
import { epochWords } from "./places.ts";
import type { Step } from "./stepper.ts";

/** The layers of a model as steps of a slider, at an epoch. */
export function layerSteps(
  { study }: Context,
  { model, epoch }: Pick<Place, "model" | "epoch">,
): Step[] {
  const { names } = study.shortNames(model);
  return study.model(model).layers.map(({ name, sameAs, map }, layer) => {
    const grayed = !study.hasMap({ model, layer, epoch });
    const view = sameAs !== null && !map ? `a view of ${sameAs}` : null;
    return {
      name,
      short: names[layer] ?? name,
      grayed,
      remark: grayed ? ["no map", ...epochWords(study, { model, epoch })].join(" at ") : view,
    };
  });
}

/** The epochs of a layer as steps of a slider. */
export function epochSteps(
  { study }: Context,
  { model, layer }: Pick<Place, "model" | "layer">,
): Step[] {
  return Array.from({ length: study.epochs(model) }, (_, epoch) => {
    const grayed = !study.hasMap({ model, layer, epoch });
    const name = study.epochName(model, epoch);
    return {
      name,
      short: name,
      grayed,
      remark: grayed ? "no map of this layer" : null,
    };
  });
}

/** The next layer, or epoch, in this direction that has a map, or the same where there is none. */
export function nextStep(
  { study }: Context,
  place: Place,
  axis: "layer" | "epoch",
  step: 1 | -1,
): number {
  const { length } =
    axis === "layer" ? study.model(place.model).layers : Array(study.epochs(place.model));
  const from = place[axis] ?? 0;
  for (let i = from + step; i >= 0 && i < length; i += step) {
    if (study.hasMap({ ...place, [axis]: i })) return i;
  }
  return from;
}

/** Go one layer on or back. */
export function stepLayer(ctx: Context, step: 1 | -1): void {
  change(ctx, { layer: nextStep(ctx, ctx.store.get(), "layer", step) });
}
