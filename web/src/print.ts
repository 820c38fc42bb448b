import type { Context } from "./context.ts";
import { type Look, lookOn, sceneOf } from "./export/scene.ts";
import { formatCount } from "./data/format.ts";
import { h } from "./dom.ts";
import { mapsSvg } from "./export/svg.ts";
import type { ViewState } from "./state/view-state.ts";

/** Width of what is printed, in pixels: that of A4 and of letter paper within their margins, about. */
const PAPER = 700;
const GAP = 20;

/** While the page is printed, its maps are pictures made for paper, and everything is on white. */
export function followPrint(ctx: Context, picture: HTMLElement, looks: () => Look[]): () => void {
  let was: { dark: boolean } | null = null;
  const begin = () => {
    if (was) return;
    const { dark, still } = ctx.fleeting.get();
    was = { dark };
    ctx.fleeting.set({ dark: false, hovered: null });
    for (const draw of ctx.waiting) draw();
    const state = ctx.store.get();
    if (!still)
      picture.replaceChildren(
        mapsSvg(sceneOf(ctx.study, state, false, lookOn(looks(), PAPER, GAP))),
        ...only(ctx, state.classes),
        ...filtered(state),
      );
  };
  const end = () => {
    if (!was) return;
    picture.replaceChildren();
    ctx.fleeting.set(was);
    was = null;
  };
  const query = matchMedia("print");
  const change = () => (query.matches ? begin() : end());
  addEventListener("beforeprint", begin);
  addEventListener("afterprint", end);
  query.addEventListener("change", change);
  return () => {
    removeEventListener("beforeprint", begin);
    removeEventListener("afterprint", end);
    query.removeEventListener("change", change);
  };
}

/** Which classes alone are shown. */
function only({ study }: Context, classes: number[] | null): HTMLElement[] {
  if (!classes) return [];
  const names = classes.map((index) => study.labelNames[index] ?? "").join(", ");
  return [h("p", { class: "hint", dir: "auto" }, `Only ${names}`)];
}

/** Which points alone are shown, where not whole classes are. */
function filtered({ only: points, onlyBy }: ViewState): HTMLElement[] {
  if (!points.length) return [];
  const by = onlyBy ? `: ${onlyBy.replace(" @ ", ", at ")}` : "";
  return [h("p", { class: "hint", dir: "auto" }, `Only ${formatCount(points.length)} points${by}`)];
}
