import type { Payload } from "./data/payload.ts";
import { Study } from "./data/study.ts";
import { build } from "./view.ts";

/** The part of anywidget's model that is used. */
export interface WidgetModel {
  get(name: "payload"): string;
  get(name: "layer"): string;
  get(name: "selection"): number[];
  set(name: "layer" | "selection", value: string | number[]): void;
  save_changes(): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

/** Show the view in a notebook's cell, with layer and selection linked both ways. */
export function render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  const text = model.get("payload");
  const payload = JSON.parse(text) as Payload;
  const names = (at: number) => payload.models[at]?.layers.map(({ name }) => name) ?? [];
  const layerOf = (at: number) => {
    const index = names(at).indexOf(model.get("layer"));
    return index >= 0 ? { layer: index } : {};
  };
  // Python counts all samples, the view those that it shows.
  const study = new Study(payload);
  const selected = () => study.pointsOf(model.get("selection") ?? []);
  const view = build(el, payload, {
    bytes: text.length,
    state: { ...layerOf(0), selection: selected() },
    onState: (state) => {
      const layer = names(state.model)[state.layer] ?? "";
      const shown = selected();
      const sameLayer = layer === model.get("layer");
      const same =
        shown.length === state.selection.length && shown.every((v, i) => v === state.selection[i]);
      if (!sameLayer) model.set("layer", layer);
      if (!same) {
        model.set(
          "selection",
          state.selection.map((point) => study.sampleOf(point)),
        );
      }
      if (!sameLayer || !same) model.save_changes();
    },
  });
  // Shift-Enter, arrows and the like are the view's while it has the focus, not the notebook's.
  const keep = (event: Event) => event.stopPropagation();
  el.addEventListener("keydown", keep);
  const onLayer = () => view.setState(layerOf(view.getState().model));
  const onSelection = () => view.setState({ selection: selected() });
  model.on("change:layer", onLayer);
  model.on("change:selection", onSelection);
  return () => {
    model.off("change:layer", onLayer);
    model.off("change:selection", onSelection);
    el.removeEventListener("keydown", keep);
    view.destroy();
  };
}
