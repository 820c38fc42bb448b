import { Parts, type Skeleton } from "./data/parts.ts";
import { Study } from "./data/study.ts";
import { h } from "./dom.ts";
import { decodeState, encodeState } from "./state/links.ts";
import type { ViewState } from "./state/view-state.ts";
import { type View, build } from "./view.ts";

/** The part of anywidget's model that is used. */
export interface WidgetModel {
  /** The payload is JSON without arrays; they are in the parts, of which the last sent is given. */
  get(name: "payload" | "layer" | "status"): string;
  get(name: "base" | "part"): DataView | null;
  get(name: "selection"): number[];
  set(name: "layer" | "selection" | "wanted", value: string | number[] | string[]): void;
  save_changes(): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

/** Milliseconds after which it is said that parts are waited for. */
const SILENT = 1500;

/** Show the view in a notebook's cell, with layer and selection linked both ways. */
export function render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  const status = h("p", { class: "live-status", role: "status", "data-testid": "live-status" });
  const waiting = h("p", { class: "live-status", role: "status", "data-testid": "waiting" });
  const place = h("div", {});
  el.replaceChildren(status, waiting, place);
  const parts = new Parts();
  let skeleton: Skeleton | null = null;
  let shown: Shown | null = null;
  let asked = "";
  let serial = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = () => {
    // Of a training that is followed; it is not given by a widget of a study.
    status.textContent = model.get("status") ?? "";
    status.hidden = !status.textContent;
  };

  // What is looked at stays as it is when more has come.
  const rebuild = (found: Skeleton) => {
    const kept = shown?.link() ?? null;
    const focused = focusedIn(place);
    shown?.destroy();
    shown = show(model, place, found, parts, kept, ask);
    if (focused) place.querySelector<HTMLElement>(`[data-testid="${focused}"]`)?.focus();
  };

  /** Ask for one part after the other, first for those of what is looked at. */
  const ask = () => {
    const missing = skeleton ? parts.missing(skeleton) : [];
    clearTimeout(timer);
    waiting.hidden = true;
    const next = [...(shown?.wanted() ?? []), ...missing].find((name) => missing.includes(name));
    if (!skeleton || !next) return;
    const { parts: all } = skeleton;
    timer = setTimeout(() => {
      waiting.hidden = false;
      waiting.textContent =
        `${all.length - missing.length} of ${all.length} parts are here; ` +
        "the others come from the kernel when it is idle";
    }, SILENT);
    if (next === asked) return;
    asked = next;
    // Told apart from the same wish of before.
    model.set("wanted", [next, `${serial++}`]);
    model.save_changes();
  };

  const onParts = () => {
    const fresh = [parts.take(model.get("base")), parts.take(model.get("part"))].includes(true);
    if (!skeleton || !fresh) return;
    const missing = parts.missing(skeleton);
    const whole = !missing.length;
    const base = skeleton.parts[0]?.[0] ?? "";
    const looked = shown?.wanted() ?? [base];
    const arrived = !looked.some((name) => missing.includes(name));
    if (parts.has(base) && (whole || (arrived && shown?.pending() !== false))) rebuild(skeleton);
    ask();
  };
  const onPayload = () => {
    const text = model.get("payload");
    skeleton = text ? (JSON.parse(text) as Skeleton) : null;
    if (!skeleton) return;
    parts.take(model.get("base"));
    parts.take(model.get("part"));
    parts.keep(skeleton);
    asked = "";
    if (parts.has(skeleton.parts[0]?.[0] ?? "")) rebuild(skeleton);
    ask();
  };
  // Shift-Enter, arrows and the like are the view's while it has the focus, not the notebook's.
  const keep = (event: Event) => event.stopPropagation();
  el.addEventListener("keydown", keep);
  const listeners = {
    "change:payload": onPayload,
    "change:base": onParts,
    "change:part": onParts,
    "change:status": say,
  };
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
  say();
  waiting.hidden = true;
  onPayload();
  return () => {
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
    clearTimeout(timer);
    el.removeEventListener("keydown", keep);
    shown?.destroy();
  };
}

interface Shown {
  /** What is looked at, as a link says it. */
  link(): string;
  /** The missing parts of what is looked at. */
  wanted(): string[];
  /** Whether a part of what is looked at had not come when this was built. */
  pending(): boolean;
  destroy(): void;
}

/** Show what has come of the payload, at the place of a link. */
function show(
  model: WidgetModel,
  el: HTMLElement,
  skeleton: Skeleton,
  parts: Parts,
  link: string | null,
  ask: () => void,
): Shown {
  const payload = parts.assemble(skeleton);
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
    bytes: skeleton.parts.reduce((sum, [, bytes]) => sum + bytes, 0),
    state: { ...kept, ...layerOf(kept.model ?? 0), selection: selected() },
    onState: (state) => {
      ask();
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
  const places = () => {
    const { model: at, layer, epoch, other } = view.getState();
    const here = { model: at, layer, epoch };
    return other ? [here, other] : [here];
  };
  return {
    link: () => encodeState(study, view.getState()),
    wanted: () =>
      places().flatMap((place) => {
        const layer = study.layer(place);
        const { layers } = skeletonMoment(skeleton, place);
        return parts.missingOf(layers.find(({ name }) => name === layer.name));
      }),
    pending: () => places().some((place) => study.layer(place).pending === true),
    destroy: () => {
      model.off("change:layer", onLayer);
      model.off("change:selection", onSelection);
      view.destroy();
    },
  };
}

function skeletonMoment(
  { models }: Skeleton,
  { model, epoch }: { model: number; epoch: number | null },
) {
  const found = models[model];
  const moment = epoch === null ? undefined : found?.epochs?.moments[epoch];
  return { layers: [...(moment?.layers ?? []), ...(found?.layers ?? [])] };
}

/** The handle of the element inside another that has the focus. */
function focusedIn(place: HTMLElement): string | undefined {
  // Some notebooks show a widget in a shadow tree.
  const root = place.getRootNode() as Document | ShadowRoot;
  const element = root.activeElement;
  if (!(element instanceof HTMLElement) || !place.contains(element)) return undefined;
  return element.dataset["testid"];
}
