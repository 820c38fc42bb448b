import { type Context, change } from "../context.ts";
import { mappedLayers, ownLayer } from "../data/follow.ts";
import { shortenMiddle } from "../data/format.ts";
import { withoutEnd } from "../data/names.ts";
import { bdi, h, reducedMotion } from "../dom.ts";
import { textWidth } from "../map/names.ts";
import { showsUnasked, SmallMaps } from "./small-maps.ts";

/** Pixels of a small map. */
const SIDE = 76;

/** Small maps of all layers, each of which shows its layer. */
export function filmstrip(ctx: Context): HTMLElement {
  const { study } = ctx;
  const row = h("div", { class: "film" });
  const element = h(
    "details",
    { class: "filmstrip of-map", "data-testid": "filmstrip" },
    h("summary", {}, "All layers"),
    row,
  );
  element.open = showsUnasked(study);
  const maps = new SmallMaps(ctx, () => element.open);
  let buttons = new Map<number, HTMLButtonElement>();

  const build = () => {
    const { model, epoch } = ctx.store.get();
    const layers = mappedLayers(study, { model, epoch });
    const names = withoutEnd(study.shortNames(model).names);
    maps.clear();
    buttons = new Map(
      layers.map((layer) => {
        const name = names[layer] ?? "";
        const canvas = h("canvas", { width: 2 * SIDE, height: 2 * SIDE, "aria-hidden": "true" });
        const button = h(
          "button",
          {
            type: "button",
            title: study.listed({ model, layer }).name,
            "data-testid": `film-${layer}`,
            onclick: () => {
              ctx.fleeting.set({ playing: null });
              change(ctx, { layer });
            },
          },
          canvas,
          h("span", {}, bdi(shortenMiddle(name, SIDE, widthOf))),
        );
        maps.add(button, canvas, { model, epoch, layer });
        return [layer, button];
      }),
    );
    row.replaceChildren(...buttons.values());
    element.hidden = layers.length < 2;
    mark();
    maps.repaint();
  };
  const mark = () => {
    const here = ownLayer(study, ctx.store.get());
    for (const [layer, button] of buttons) {
      const current = layer === here;
      if (current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (!current || row.scrollWidth <= row.clientWidth) continue;
      const left = button.offsetLeft - row.offsetLeft - (row.clientWidth - SIDE) / 2;
      row.scrollTo?.({ left, behavior: reducedMotion() ? "instant" : "smooth" });
    }
  };
  element.addEventListener("toggle", () => {
    mark();
    maps.repaint();
  });
  ctx.onDestroy(ctx.store.watch(["model", "epoch"], build));
  ctx.onDestroy(ctx.store.subscribe((now, before) => now.layer !== before.layer && mark()));
  return element;
}

/** Pixels of a name in its heaviest form, that of what is shown. */
function widthOf(text: string): number {
  return textWidth(text, 12, 600);
}
