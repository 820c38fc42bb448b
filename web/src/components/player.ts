import { type Context, change } from "../context.ts";
import { h, press, reducedMotion } from "../dom.ts";
import { icon } from "../icons.ts";
import { nextStep } from "./layers.ts";

const PAUSE = 1700;

type Axis = "layer" | "epoch";

/** The button that goes through the layers, or the epochs, by itself. */
export function player(ctx: Context, axis: Axis): HTMLElement {
  const button = h("button", {
    type: "button",
    class: "play",
    "data-testid": axis === "layer" ? "play" : "play-epochs",
    onclick: () => toggle(ctx, axis),
  });
  if (axis === "layer") button.disabled = ctx.study.models.every(({ layers }) => layers.length < 2);
  const through = axis === "layer" ? "Play through the layers (space)" : "Play through the epochs";
  const draw = () => {
    const playing = ctx.fleeting.get().playing === axis;
    button.replaceChildren(icon(playing ? "pause" : "play"));
    const label = playing ? "Pause (space)" : through;
    button.setAttribute("aria-label", label);
    button.title = label;
    press(button, playing);
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  const advance = () => {
    const from = ctx.store.get()[axis];
    const next = nextStep(ctx, ctx.store.get(), axis, 1);
    if (next !== from) change(ctx, { [axis]: next });
    if (nextStep(ctx, ctx.store.get(), axis, 1) === next) ctx.fleeting.set({ playing: null });
  };
  ctx.onDestroy(
    ctx.fleeting.watch(["playing"], ({ playing }) => {
      draw();
      clearInterval(timer);
      if (playing === axis) timer = setInterval(advance, reducedMotion() ? 2 * PAUSE : PAUSE);
    }),
  );
  ctx.onDestroy(() => clearInterval(timer));
  return button;
}

/** Play, from the first step where the last is shown, or pause. */
export function toggle(ctx: Context, axis: Axis): void {
  if (ctx.fleeting.get().playing) return ctx.fleeting.set({ playing: null });
  const state = ctx.store.get();
  if (nextStep(ctx, state, axis, 1) === state[axis]) {
    const first = nextStep(ctx, { ...state, [axis]: -1 }, axis, 1);
    if (first < 0 || first === state[axis]) return;
    change(ctx, { [axis]: first });
  }
  ctx.fleeting.set({ playing: axis });
}
