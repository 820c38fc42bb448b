import { type Context, change } from "../context.ts";
import { h } from "../dom.ts";
import type { Look } from "../export/scene.ts";
import type { Place, ViewState } from "../state/view-state.ts";
import { sameLayer } from "./chart.ts";
import { filterChip } from "./filter-chip.ts";
import { layerSteps } from "./layers.ts";
import { mapTools } from "./map-tools.ts";
import { Pane } from "./pane.ts";
import { player } from "./player.ts";
import { Stepper } from "./stepper.ts";

/** The map, or two of them side by side, each with its slider. */
export class Stage {
  readonly element: HTMLElement;
  private readonly ctx: Context;
  private readonly main: Pane;
  private readonly sides = h("div", { class: "sides" });
  private readonly leftSlider = h("div", { class: "slider-row" });
  private readonly rightSlider = h("div", { class: "slider-row" });
  private readonly epochSlider = h("div", { class: "slider-row epochs" });
  private readonly right = h("div", { class: "side", hidden: true });
  private second: Pane | null = null;
  private steppers: { layer?: Stepper; other?: Stepper; epoch?: Stepper } = {};
  private keys = { layer: -1, other: -1, epoch: -1 };
  private readonly play: HTMLElement;

  constructor(ctx: Context) {
    this.ctx = ctx;
    this.main = new Pane(ctx, "map", ({ model, layer, epoch }) => ({ model, layer, epoch }));
    this.play = player(ctx);
    const frame = h("div", { class: "frame" }, filterChip(ctx), this.main.element, mapTools(ctx));
    const left = h("div", { class: "side" }, frame, this.leftSlider);
    this.sides.append(left, this.right);
    this.element = h("section", { class: "stage", "aria-label": "Map" }, this.sides, this.epochSlider);
    ctx.onDestroy(() => {
      this.main.destroy();
      this.second?.destroy();
      for (const stepper of Object.values(this.steppers)) stepper.destroy();
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

  /** How the maps lie on the screen, for pictures of them. */
  looks(): Look[] {
    const state = this.ctx.store.get();
    const look = (pane: Pane, { model, layer }: Place): Look => ({
      place: { model, layer },
      ...pane.view(),
    });
    const main = look(this.main, state);
    return this.second && state.other ? [main, look(this.second, state.other)] : [main];
  }

  private get panes(): Pane[] {
    return this.second ? [this.main, this.second] : [this.main];
  }

  private arrange(state: ViewState): void {
    const { ctx } = this;
    this.sides.classList.toggle("two", state.other !== null);
    if (this.keys.layer !== state.model) {
      this.keys.layer = state.model;
      this.steppers.layer?.destroy();
      const stepper = new Stepper({
        id: "layer",
        label: "Layer",
        steps: layerSteps(ctx, state.model),
        onStep: (layer) => {
          ctx.fleeting.set({ playing: false });
          change(ctx, { layer });
        },
      });
      this.steppers.layer = stepper;
      this.leftSlider.replaceChildren(this.play, stepper.element);
    }
    this.steppers.layer?.set(state.layer);
    this.arrangeEpochs(state);
    this.arrangeOther(state);
  }

  private arrangeEpochs(state: ViewState): void {
    const { ctx } = this;
    const epochs = ctx.study.model(state.model).epochs?.epochs ?? [];
    this.epochSlider.hidden = epochs.length === 0;
    if (!epochs.length) return;
    if (this.keys.epoch !== state.model) {
      this.keys.epoch = state.model;
      this.steppers.epoch?.destroy();
      const stepper = new Stepper({
        id: "epoch",
        label: "Epoch",
        steps: epochs.map((epoch) => ({ name: String(epoch), greyed: false, remark: null })),
        onStep: (epoch) => change(ctx, { epoch }),
      });
      this.steppers.epoch = stepper;
      this.epochSlider.replaceChildren(h("span", { class: "slider-label" }, "Epoch"), stepper.element);
    }
    this.steppers.epoch?.set(state.epoch ?? 0);
  }

  private arrangeOther(state: ViewState): void {
    const { ctx } = this;
    const { other } = state;
    this.right.hidden = other === null;
    if (!other) {
      this.second?.destroy();
      this.second = null;
      this.keys.other = -1;
      return;
    }
    if (this.keys.other !== other.model) {
      this.keys.other = other.model;
      this.steppers.other?.destroy();
      const stepper = new Stepper({
        id: "other-layer",
        label: "Layer of the second map",
        steps: layerSteps(ctx, other.model),
        onStep: (layer) => {
          const now = ctx.store.get().other;
          if (now) change(ctx, { other: { ...now, layer } });
        },
      });
      this.steppers.other = stepper;
      this.rightSlider.replaceChildren(modelChoice(ctx, other), stepper.element);
    }
    this.steppers.other?.set(other.layer);
    if (!this.second) {
      const pane = new Pane(ctx, "other-map", (now) => ({
        ...(now.other ?? now),
        epoch: (now.other ?? now).model === now.model ? now.epoch : null,
      }));
      this.right.replaceChildren(h("div", { class: "frame" }, pane.element), this.rightSlider);
      this.second = pane;
      pane.start();
    }
  }
}

/** Which model the second map is of. */
function modelChoice(ctx: Context, other: Place): HTMLElement | string {
  const { study } = ctx;
  if (study.models.length < 2) return "";
  const select = h(
    "select",
    {
      "aria-label": "Model of the second map",
      "data-testid": "other-model",
      onchange: () => {
        const now = ctx.store.get().other ?? other;
        const model = Number(select.value);
        change(ctx, { other: { model, layer: sameLayer(study, model, now.model, now.layer) } });
      },
    },
    ...study.models.map(({ name }, i) => h("option", { value: i, selected: i === other.model }, name)),
  );
  return select;
}
