import { type Context, change } from "../context.ts";
import { h, press, reducedMotion } from "../dom.ts";
import { icon } from "../icons.ts";
import { nextLayer } from "./layers.ts";

const PAUSE = 1700;

/** The button that goes through the layers by itself. */
export function player(ctx: Context): HTMLElement {
  const button = h("button", {
    type: "button",
    class: "play",
    "data-testid": "play",
    onclick: () => toggle(ctx),
  });
  button.disabled = ctx.study.models.every(({ layers }) => layers.length < 2);
  const draw = () => {
    const { playing } = ctx.fleeting.get();
    button.replaceChildren(icon(playing ? "pause" : "play"));
    button.setAttribute("aria-label", playing ? "Pause (space)" : "Play through the layers (space)");
    button.title = playing ? "Pause (space)" : "Play through the layers (space)";
    press(button, playing);
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  const advance = () => {
    const state = ctx.store.get();
    const next = nextLayer(ctx, state, 1);
    if (next === state.layer) ctx.fleeting.set({ playing: false });
    else {
      change(ctx, { layer: next });
      if (nextLayer(ctx, ctx.store.get(), 1) === next) ctx.fleeting.set({ playing: false });
    }
  };
  ctx.onDestroy(
    ctx.fleeting.watch(["playing"], ({ playing }) => {
      draw();
      clearInterval(timer);
      if (playing) timer = setInterval(advance, reducedMotion() ? 2 * PAUSE : PAUSE);
    }),
  );
  ctx.onDestroy(() => clearInterval(timer));
  return button;
}

export function toggle(ctx: Context): void {
  const { playing } = ctx.fleeting.get();
  const state = ctx.store.get();
  const atEnd = nextLayer(ctx, state, 1) === state.layer;
  if (!playing && atEnd) {
    const first = ctx.study.model(state.model).layers.findIndex((_, i) => ctx.study.hasMap(state.model, i));
    if (first < 0 || first === state.layer) return;
    change(ctx, { layer: first });
  }
  ctx.fleeting.set({ playing: !playing });
}
