import { type Context, change } from "../context.ts";
import { bdi, h, reducedMotion } from "../dom.ts";
import type { Look } from "../export/scene.ts";
import type { Place } from "../data/study.ts";
import type { ViewState } from "../state/view-state.ts";
import { icon } from "../icons.ts";
import { epochGrid } from "./epoch-grid.ts";
import { filmstrip } from "./filmstrip.ts";
import { filterChip } from "./filter-chip.ts";
import { nextStep, stepLayer } from "./layers.ts";
import { mapTools } from "./map-tools.ts";
import { Pane } from "./pane.ts";
import { placeName } from "./places.ts";
import { player } from "./player.ts";
import { sameEpoch, sameLayer } from "./series.ts";
import { Sliders } from "./sliders.ts";

/** The map, or two of them side by side, each with its slider. */
export class Stage {
  readonly element: HTMLElement;
  /** For what is printed in the maps' place. */
  readonly picture = h("div", { class: "print-map", "data-testid": "print-map" });
  private readonly ctx: Context;
  private readonly main: Pane;
  private readonly sides = h("div", { class: "sides" });
  private readonly right = h("div", { class: "side", hidden: true });
  private readonly secondTitle: HTMLElement;
  private second: Pane | null = null;
  private readonly left: Sliders;
  private readonly beside: Sliders;

  constructor(ctx: Context) {
    this.ctx = ctx;
    this.secondTitle = mapTitle(ctx, (state) => state.other ?? state);
    this.main = new Pane(ctx, "map", (state) => state);
    const head = h("span", { class: "heads-of-slider" }, player(ctx, "layer"), ...steps(ctx));
    this.left = new Sliders(ctx, "", [head, player(ctx, "epoch")], (step) => {
      ctx.fleeting.set({ playing: null });
      change(ctx, step);
    });
    this.beside = new Sliders(ctx, "other-", [modelChoice(ctx), ""], (step) => {
      const now = ctx.store.get().other;
      if (now) change(ctx, { other: { ...now, ...step } });
    });
    const frame = h(
      "div",
      { class: "frame" },
      filterChip(ctx),
      mapTitle(ctx, (state) => state),
      this.main.element,
      mapTools(ctx),
    );
    const overviews = [filmstrip(ctx), epochGrid(ctx)];
    const left = h("div", { class: "side" }, frame, this.left.element, ...overviews);
    this.sides.append(left, this.right);
    this.element = h("section", { class: "stage", "aria-label": "Map" }, this.picture, this.sides);
    ctx.onDestroy(() => {
      this.main.destroy();
      this.second?.destroy();
      this.left.destroy();
      this.beside.destroy();
    });
  }

  /** To be called once the element is in the document. */
  start(): void {
    const { ctx } = this;
    this.arrange(ctx.store.get());
    this.main.start();
    ctx.onDestroy(
      ctx.store.subscribe((now, before) => {
        this.arrange(now);
        for (const pane of this.panes) pane.update(now, before);
      }),
    );
    ctx.onDestroy(
      ctx.fleeting.subscribe((now, before) => {
        if (now.hovered !== before.hovered) for (const pane of this.panes) pane.point();
        if (now.lasso !== before.lasso) for (const pane of this.panes) pane.setLasso(now.lasso);
        if (now.dark !== before.dark) {
          for (const pane of this.panes) pane.update(ctx.store.get(), ctx.store.get());
        }
      }),
    );
  }

  /** Look nearer, or at the whole map. */
  zoom(factor: number | null): void {
    for (const pane of this.panes) {
      if (factor === null) pane.reset();
      else pane.zoom(factor);
    }
  }

  /** Bring the maps into sight, and a point of them into their view. */
  reveal(point: number | null): void {
    const { top, bottom } = this.main.element.getBoundingClientRect();
    const hidden = top < 0 || bottom > innerHeight;
    const behavior = reducedMotion() ? "instant" : "smooth";
    if (hidden) this.main.element.scrollIntoView({ block: "nearest", behavior });
    if (point !== null) for (const pane of this.panes) pane.reveal(point);
  }

  /** How the maps lie on the screen, for pictures of them. */
  looks(): Look[] {
    const state = this.ctx.store.get();
    const look = (pane: Pane, place: Place): Look => ({ place, ...pane.view() });
    const main = look(this.main, state);
    return this.second && state.other ? [main, look(this.second, state.other)] : [main];
  }

  private get panes(): Pane[] {
    return this.second ? [this.main, this.second] : [this.main];
  }

  private arrange(state: ViewState): void {
    const { other } = state;
    this.sides.classList.toggle("two", other !== null);
    this.right.hidden = other === null;
    this.left.arrange(state);
    if (other) {
      this.beside.arrange(other);
      if (this.second) return;
      const pane = new Pane(this.ctx, "other-map", (now) => now.other ?? now);
      this.right.replaceChildren(
        h("div", { class: "frame" }, this.secondTitle, pane.element),
        this.beside.element,
      );
      this.second = pane;
      pane.start();
    } else {
      this.second?.destroy();
      this.second = null;
    }
  }
}

/** Of what a map is, where there are two. */
function mapTitle(ctx: Context, where: (state: ViewState) => Place): HTMLElement {
  const title = h("p", { class: "map-title", "aria-hidden": "true", "data-testid": "map-title" });
  ctx.onDestroy(
    ctx.store.watch(["model", "layer", "epoch", "other"], (state) => {
      title.hidden = state.other === null;
      title.replaceChildren(bdi(placeName(ctx.study, where(state))));
    }),
  );
  return title;
}

/** One layer back, and one on, for fingers that no slider is fine enough for. */
function steps(ctx: Context): HTMLElement[] {
  return ([-1, 1] as const).map((step) => {
    const label = step < 0 ? "One layer back" : "One layer on";
    const button = h(
      "button",
      {
        type: "button",
        class: "step",
        "aria-label": label,
        title: `${label} (${step < 0 ? "←" : "→"})`,
        "data-testid": step < 0 ? "layer-back" : "layer-on",
        onclick: () => stepLayer(ctx, step),
      },
      icon(step < 0 ? "back" : "on"),
    );
    ctx.onDestroy(
      ctx.store.watch(["layer", "model", "epoch"], (state) => {
        button.disabled = nextStep(ctx, state, "layer", step) === state.layer;
      }),
    );
    return button;
  });
}

/** Which model the second map is of. */
function modelChoice(ctx: Context): HTMLElement | string {
  const { study } = ctx;
  if (study.models.length < 2) return "";
  const select = h(
    "select",
    {
      "aria-label": "Model of the second map",
      "data-testid": "other-model",
      onchange: () => {
        const now = ctx.store.get().other;
        if (!now) return;
        const model = Number(select.value);
        const layer = sameLayer(study, model, now.model, now.layer);
        change(ctx, { other: { model, layer, epoch: sameEpoch(study, model, now) } });
      },
    },
    ...study.models.map(({ name }, i) => h("option", { value: i }, name)),
  );
  ctx.onDestroy(
    ctx.store.watch(["other"], ({ other }) => {
      if (other) select.value = String(other.model);
    }),
  );
  return select;
}
