import type { Payload } from "./data/payload.ts";
import { Study } from "./data/study.ts";
import { h } from "./dom.ts";
import { decodeState, encodeState } from "./state/links.ts";
import type { ViewState } from "./state/view-state.ts";
import { type View, build } from "./view.ts";

/** The part of anywidget's model that is used. */
export interface WidgetModel {
  get(name: "payload" | "layer" | "status"): string;
  get(name: "selection"): number[];
  set(name: "layer" | "selection", value: string | number[]): void;
  save_changes(): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

/** Show the view in a notebook's cell, with layer and selection linked both ways. */
export function render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  const status = h("p", { class: "live-status", role: "status", "data-testid": "live-status" });
  const place = h("div", {});
  el.replaceChildren(status, place);
  let shown = show(model, place, null);
  const say = () => {
    // Of a training that is followed; it is not given by a widget of a study.
    status.textContent = model.get("status") ?? "";
    status.hidden = !status.textContent;
  };
  say();
  // What is looked at stays as it is when the training has gone on.
  const onPayload = () => {
    const kept = shown?.link() ?? null;
    shown?.destroy();
    shown = show(model, place, kept);
  };
  // Shift-Enter, arrows and the like are the view's while it has the focus, not the notebook's.
  const keep = (event: Event) => event.stopPropagation();
  el.addEventListener("keydown", keep);
  model.on("change:payload", onPayload);
  model.on("change:status", say);
  return () => {
    model.off("change:payload", onPayload);
    model.off("change:status", say);
    el.removeEventListener("keydown", keep);
    shown?.destroy();
  };
}

interface Shown {
  /** What is looked at, as a link says it. */
  link(): string;
  destroy(): void;
}

/** Show the payload that the model has now, if it has one, at the place of a link. */
function show(model: WidgetModel, el: HTMLElement, link: string | null): Shown | null {
  const text = model.get("payload");
  if (!text) return null;
  const payload = JSON.parse(text) as Payload;
  const names = (at: number) => payload.models[at]?.layers.map(({ name }) => name) ?? [];
  const layerOf = (at: number) => {
    const index = names(at).indexOf(model.get("layer"));
    return index >= 0 ? { layer: index } : {};
  };
  // Python counts all samples, the view those that it shows.
  const study = new Study(payload);
  const selected = () => study.pointsOf(model.get("selection") ?? []);
  const kept: Partial<ViewState> = link === null ? {} : decodeState(study, link);
  const view: View = build(el, payload, {
    bytes: text.length,
    state: { ...kept, ...layerOf(kept.model ?? 0), selection: selected() },
    onState: (state) => {
      const layer = names(state.model)[state.layer] ?? "";
      const there = selected();
      const sameLayer = layer === model.get("layer");
      const same =
        there.length === state.selection.length && there.every((v, i) => v === state.selection[i]);
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
  const onLayer = () => view.setState(layerOf(view.getState().model));
  const onSelection = () => view.setState({ selection: selected() });
  model.on("change:layer", onLayer);
  model.on("change:selection", onSelection);
  return {
    link: () => encodeState(study, view.getState()),
    destroy: () => {
      model.off("change:layer", onLayer);
      model.off("change:selection", onSelection);
      view.destroy();
    },
  };
}
