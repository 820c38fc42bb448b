import { type Context, change } from "../context.ts";
import type { Place } from "../state/view-state.ts";
import type { Step } from "./stepper.ts";

/** The layers of a model as steps of a slider. */
export function layerSteps({ study }: Context, model: number): Step[] {
  return study.model(model).layers.map(({ name, sameAs, map }, i) => {
    const greyed = !study.hasMap(model, i);
    const view = sameAs !== null && !map ? `a view of ${sameAs}` : null;
    return { name, greyed, remark: greyed ? "no map" : view };
  });
}

/** The next place in this direction that has a map, or the same where there is none. */
export function nextLayer({ study }: Context, { model, layer }: Place, step: 1 | -1): number {
  const { length } = study.model(model).layers;
  for (let i = layer + step; i >= 0 && i < length; i += step) if (study.hasMap(model, i)) return i;
  return layer;
}

/** Go one layer on or back. */
export function stepLayer(ctx: Context, step: 1 | -1): void {
  change(ctx, { layer: nextLayer(ctx, ctx.store.get(), step) });
}
