import { type Context, change } from "../context.ts";
import { mappedLayers, ownLayer } from "../data/follow.ts";
import { withoutEnd } from "../data/names.ts";
import { bdi, h } from "../dom.ts";
import { SmallMaps } from "./small-maps.ts";

/** Pixels of a small map. */
const SIDE = 64;
/** Most small maps: of more, some of the epochs are left out. */
const MAPS = 2000;

/** Small maps of all layers at all epochs, each of which shows its own. */
export function epochGrid(ctx: Context): HTMLElement {
  const { study } = ctx;
  const table = h("table", {});
  const left = h("p", { class: "hint" });
  const element = h(
    "details",
    { class: "epoch-grid of-map", "data-testid": "epoch-grid" },
    h("summary", {}, "All layers at all epochs"),
    left,
    h("div", { class: "scroller" }, table),
  );
  const maps = new SmallMaps(ctx, () => element.open);
  let buttons: { layer: number; epoch: number; button: HTMLButtonElement }[] = [];
  let built: number | null = null;

  const cell = (model: number, layer: number, epoch: number): HTMLElement => {
    const place = { model, layer, epoch };
    if (!study.hasMap(place)) return h("td", { class: "none" }, "–");
    const canvas = h("canvas", { width: 2 * SIDE, height: 2 * SIDE, "aria-hidden": "true" });
    const button = h(
      "button",
      {
        type: "button",
        "aria-label": `${study.listed(place).name}, epoch ${study.epochName(model, epoch)}`,
        "data-testid": `grid-${layer}-${epoch}`,
        onclick: () => {
          ctx.fleeting.set({ playing: null });
          change(ctx, { layer, epoch });
        },
      },
      canvas,
    );
    buttons.push({ layer, epoch, button });
    maps.add(button, canvas, place);
    return h("td", {}, button);
  };
  const build = () => {
    const { model } = ctx.store.get();
    const steps = [...Array(study.epochs(model)).keys()];
    element.hidden = steps.length < 2;
    if (!element.open || element.hidden || built === model) return;
    built = model;
    const layers = [
      ...new Set(steps.flatMap((epoch) => mappedLayers(study, { model, epoch }))),
    ].sort((one, other) => one - other);
    const rows = evenly(steps, Math.max(2, Math.floor(MAPS / layers.length)));
    left.textContent = `${rows.length} of ${steps.length} epochs`;
    left.hidden = rows.length === steps.length;
    const names = withoutEnd(study.shortNames(model).names);
    maps.clear();
    buttons = [];
    table.replaceChildren(
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Epoch"),
          ...layers.map((layer) => h("th", { scope: "col" }, bdi(names[layer] ?? ""))),
        ),
      ),
      h(
        "tbody",
        {},
        ...rows.map((epoch) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, study.epochName(model, epoch)),
            ...layers.map((layer) => cell(model, layer, epoch)),
          ),
        ),
      ),
    );
    mark();
    maps.repaint();
  };
  const mark = () => {
    const state = ctx.store.get();
    const here = ownLayer(study, state);
    for (const { layer, epoch, button } of buttons)
      if (layer === here && epoch === state.epoch) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
  };
  element.addEventListener("toggle", build);
  ctx.onDestroy(ctx.store.watch(["model"], build));
  ctx.onDestroy(ctx.store.watch(["layer", "epoch"], mark));
  return element;
}

/** As many of some as are wanted, from the first to the last. */
export function evenly<T>(all: T[], most: number): T[] {
  if (all.length <= most) return all;
  return Array.from(
    { length: most },
    (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))] as T,
  );
}
