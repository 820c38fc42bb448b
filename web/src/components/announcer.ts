import type { Context } from "../context.ts";
import { describeScore, measureTitle } from "../data/format.ts";
import { placeName } from "./places.ts";
import type { ViewState } from "../state/view-state.ts";
import { scoreOf } from "../state/view-state.ts";

/** Say which layer, and epoch, is shown and its first score, once the slider rests. */
export function announceLayers(ctx: Context): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = ctx.store.subscribe((now, before) => {
    if (now.layer === before.layer && now.model === before.model && now.epoch === before.epoch)
      return;
    clearTimeout(timer);
    timer = setTimeout(() => ctx.announce(sentence(ctx, now)), 350);
  });
  ctx.onDestroy(stop);
  ctx.onDestroy(() => clearTimeout(timer));
}

function sentence({ study }: Context, state: ViewState): string {
  const [first] = state.measures;
  const measure = first === undefined ? undefined : study.measure(first);
  const score = measure
    ? ` ${measureTitle(measure, study.payload.measures)}: ${describeScore(scoreOf(study, state, measure.name))}.`
    : "";
  const map = study.hasMap(state) ? "" : " No map.";
  return `Layer ${placeName(study, state)}.${map}${score}`;
}
