import { type Context, change } from "../context.ts";
import { shorten } from "../data/format.ts";
import type { Place } from "../data/study.ts";
import { bdi, h } from "../dom.ts";
import { coloring, isShown } from "../map/coloring.ts";
import { neighborChanges } from "./neighbor-changes.ts";
import { placeName } from "./places.ts";
import { pointCard } from "./point-card.ts";

/** Characters of a neighbor's text. */
const WORDS = 60;
const NAME = 10;

/** The point whose details stay open through the layers, and its neighbors at this one. */
export function held(ctx: Context): HTMLElement {
  const body = h("div", { class: "held-body" });
  const element = h(
    "section",
    { class: "held", "aria-label": "The point held", "data-testid": "held" },
    h(
      "div",
      { class: "title-row" },
      h("h2", {}, "Point"),
      h(
        "button",
        { type: "button", class: "link", onclick: () => change(ctx, { focus: null }) },
        "let go",
      ),
    ),
    body,
  );
  const draw = () => {
    const state = ctx.store.get();
    const { focus } = state;
    element.hidden = focus === null;
    if (focus === null) {
      body.replaceChildren();
      return;
    }
    const near = ctx.study.neighbors(state, focus);
    const hidden = !isShown(ctx.study, state, focus);
    body.replaceChildren(
      pointCard(ctx, state, focus, 84, ctx.study.columns.length),
      hidden ? h("p", { class: "hint" }, "It is not shown on the map now: a filter hides it.") : "",
      near.length ? neighbors(ctx, near, state) : "",
      ...neighborChanges(ctx, state, focus, (point) => neighbor(ctx, point)),
    );
  };
  ctx.onDestroy(ctx.store.watch(["focus", "model", "layer", "epoch", "classes", "only"], draw));
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && draw()));
  return element;
}

function neighbors(ctx: Context, near: number[], place: Place): HTMLElement {
  const items = near.map((point) => h("li", {}, neighbor(ctx, point)));
  const words = ctx.sprites ? "" : " words";
  return h(
    "div",
    { class: `near${words}` },
    h("h3", {}, "Its nearest neighbors at ", bdi(placeName(ctx.study, place))),
    h("ul", { "data-testid": "near" }, ...items),
  );
}

function neighbor(ctx: Context, point: number): HTMLElement {
  const { study, sprites } = ctx;
  const snippet = study.payload.snippets?.[point];
  const words = sprites ? null : (snippet ?? `#${study.sampleOf(point)}`);
  const dot = h("i", { class: "dot" });
  const { categories, colors } = coloring(
    study,
    { ...ctx.store.get(), color: "class" },
    ctx.fleeting.get().dark,
  );
  dot.style.background = colors[categories[point] as number] ?? "";
  const name = study.labelName(point);
  return h(
    "button",
    {
      type: "button",
      title: `Sample ${study.sampleOf(point)}, ${name}: hold this point`,
      onclick: () => {
        change(ctx, { focus: point });
        ctx.reveal(point);
      },
    },
    sprites?.thumb(point, 40),
    h("span", { class: "class-name" }, dot, bdi(shorten(name, NAME))),
    words && h("span", { class: "snippet" }, bdi(shorten(words, WORDS))),
  );
}
