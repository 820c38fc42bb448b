import { type Context, change } from "../context.ts";
import { h } from "../dom.ts";
import { pointCard } from "./point-card.ts";

/** The point whose details stay open through the layers. */
export function held(ctx: Context): HTMLElement {
  const body = h("div", {});
  const element = h(
    "section",
    { class: "held", "aria-label": "The point held", "data-testid": "held" },
    h(
      "div",
      { class: "title-row" },
      h("h2", {}, "Point"),
      h("button", { type: "button", class: "link", onclick: () => change(ctx, { focus: null }) }, "let go"),
    ),
    body,
  );
  const draw = () => {
    const { focus, model, layer } = ctx.store.get();
    element.hidden = focus === null;
    body.replaceChildren(focus === null ? "" : pointCard(ctx, { model, layer }, focus, 72));
  };
  ctx.onDestroy(ctx.store.watch(["focus", "model", "layer"], draw));
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && draw()));
  return element;
}
