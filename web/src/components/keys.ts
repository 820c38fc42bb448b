import { type Context, change } from "../context.ts";
import { stepLayer } from "./layers.ts";
import { toggle } from "./player.ts";

/** Elements that use the space bar, or the arrow keys, themselves. */
const TAKES_SPACE = "button, summary, input, select, textarea, a";
const TAKES_ARROWS = "input, select, textarea, .scroller";
const TYPED = "input:not([type=range]):not([type=checkbox]), select, textarea";
/** How much nearer; null for the whole map. */
const ZOOMS: Record<string, number | null> = { "+": 1.4, "=": 1.4, "-": 1 / 1.4, "0": null };

export function listenForKeys(ctx: Context, target: HTMLElement | Document): void {
  const listener = (event: Event) => {
    const { key, ctrlKey, metaKey, altKey, defaultPrevented } = event as KeyboardEvent;
    if (ctrlKey || metaKey || altKey || defaultPrevented) return;
    const { shortcuts } = ctx.fleeting.get();
    const from = event.target instanceof Element ? event.target : null;
    if (key === "ArrowRight" || key === "ArrowLeft") {
      if (from?.closest(TAKES_ARROWS)) return;
      ctx.fleeting.set({ playing: null });
      stepLayer(ctx, key === "ArrowRight" ? 1 : -1);
    } else if (key === " ") {
      if (from?.closest(TAKES_SPACE) && !from.matches('input[type="range"]')) return;
      const { playing } = ctx.fleeting.get();
      toggle(
        ctx,
        playing ?? (ctx.study.model(ctx.store.get().model).layers.length > 1 ? "layer" : "epoch"),
      );
    } else if (key === "l") {
      if (from?.closest(TYPED) || !shortcuts) return;
      ctx.fleeting.set({ lasso: !ctx.fleeting.get().lasso });
    } else if (key === "n") {
      if (from?.closest(TYPED) || !shortcuts) return;
      change(ctx, { names: !ctx.store.get().names });
    } else if (key === "t") {
      if (from?.closest(TYPED) || !shortcuts) return;
      change(ctx, { trails: !ctx.store.get().trails });
    } else if (key in ZOOMS) {
      if (from?.closest(TYPED) || !shortcuts) return;
      ctx.zoom(ZOOMS[key] ?? null);
    } else if (key === "?") {
      if (from?.closest(TYPED) || !shortcuts) return;
      ctx.fleeting.set({ help: !ctx.fleeting.get().help });
    } else if (key === "Escape") {
      if (ctx.fleeting.get().help || from?.closest(TYPED)) return;
      stepOut(ctx);
    } else return;
    event.preventDefault();
  };
  target.addEventListener("keydown", listener);
  ctx.onDestroy(() => target.removeEventListener("keydown", listener));
}

/** Take back one thing, the most passing first. */
export function stepOut(ctx: Context): void {
  const { fleeting, store } = ctx;
  const { lasso, playing } = fleeting.get();
  const { focus, selection, classes, only } = store.get();
  if (playing) fleeting.set({ playing: null });
  else if (lasso) fleeting.set({ lasso: false });
  else if (focus !== null) change(ctx, { focus: null });
  else if (selection.length) change(ctx, { selection: [], find: "" });
  else if (only.length) change(ctx, { only: [] });
  else if (classes) change(ctx, { classes: null });
}
