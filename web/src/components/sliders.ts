import type { Context } from "../context.ts";
import type { Place } from "../data/study.ts";
import { h } from "../dom.ts";
import { same } from "../state/store.ts";
import { epochSteps, layerSteps } from "./layers.ts";
import { type Step, Stepper } from "./stepper.ts";

type Kind = "layer" | "epoch";

/** The sliders under a map: over the layers, and over the epochs where there are any. */
export class Sliders {
  readonly element: HTMLElement;
  private readonly ctx: Context;
  private readonly prefix: string;
  private readonly onStep: (step: Partial<Place>) => void;
  private readonly rows: Record<Kind, HTMLElement>;
  private readonly heads: Record<Kind, HTMLElement | string>;
  private readonly steppers: Partial<Record<Kind, { stepper: Stepper; steps: Step[] }>> = {};

  /** What stands before each slider, and before its name in tests. */
  constructor(
    ctx: Context,
    prefix: "" | "other-",
    [layer, epoch]: (HTMLElement | string)[],
    onStep: (step: Partial<Place>) => void,
  ) {
    this.ctx = ctx;
    this.prefix = prefix;
    this.onStep = onStep;
    this.heads = { layer: layer ?? "", epoch: epoch ?? "" };
    this.rows = {
      layer: h("div", { class: "slider-row" }),
      epoch: h("div", { class: "slider-row epochs" }),
    };
    this.element = h("div", {}, this.rows.layer, this.rows.epoch);
  }

  arrange(place: Place): void {
    const layers = layerSteps(this.ctx, place);
    // There is nothing to slide through.
    this.rows.layer.hidden = layers.length < 2 && !this.prefix;
    this.set("layer", layers, place.layer);
    const steps = epochSteps(this.ctx, place);
    this.rows.epoch.hidden = !steps.length;
    if (steps.length) this.set("epoch", steps, place.epoch ?? 0);
  }

  destroy(): void {
    for (const { stepper } of Object.values(this.steppers)) stepper.destroy();
  }

  /** Make the slider anew only where its steps are others, so that it keeps the focus. */
  private set(kind: Kind, steps: Step[], value: number): void {
    let found = this.steppers[kind];
    if (!found || !same(found.steps, steps)) {
      found?.stepper.destroy();
      const what = kind === "layer" ? "Layer" : "Epoch";
      const stepper = new Stepper({
        id: `${this.prefix}${kind}`,
        label: this.prefix ? `${what} of the second map` : what,
        steps,
        onStep: (step) => this.onStep({ [kind]: step }),
      });
      const name = kind === "epoch" ? h("span", { class: "slider-label" }, "Epoch") : "";
      this.rows[kind].replaceChildren(this.heads[kind], name, stepper.element);
      found = { stepper, steps };
      this.steppers[kind] = found;
    }
    found.stepper.set(value);
  }
}
