import { type Context, change, deferred } from "../context.ts";
import { mappedLayers, ownLayer } from "../data/follow.ts";
import type { Coords } from "../data/pack.ts";
import type { Study } from "../data/study.ts";
import { shortenMiddle } from "../data/format.ts";
import { withoutEnd } from "../data/names.ts";
import { bdi, h, reducedMotion } from "../dom.ts";
import { textWidth } from "../map/names.ts";
import { type Coloring, coloring, makeColoring, shown } from "../map/coloring.ts";
import type { ViewState } from "../state/view-state.ts";

/** Pixels of a small map, and most of its dots. */
const SIDE = 76;
const DOTS = 1500;
/** Of more points the small maps wait until they are asked for: all layers would be decoded. */
const OPEN = 150_000;

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
  element.open = study.n <= OPEN && matchMedia("(min-width: 700px)").matches;
  const drawn = new Map<number, string>();
  let frames = new Map<number, { button: HTMLButtonElement; canvas: HTMLCanvasElement }>();
  let dots: number[] | null = null;

  const paint = (layer: number) => {
    const found = frames.get(layer);
    if (!found || !element.open) return;
    const state = ctx.store.get();
    const { dark } = ctx.fleeting.get();
    const place = { model: state.model, epoch: state.epoch, layer };
    const key = [state.color, dark, state.classes, state.only.length, state.only[0]].join("|");
    if (drawn.get(layer) === key) return;
    drawn.set(layer, key);
    const coords = study.coords(place);
    if (!coords) return;
    dots ??= dotsOf(study, state);
    const one = { ...state, ...place };
    // Those of neighbors are of each layer, and would push that of the map out of its memory.
    const colors =
      state.color === "hit" ? makeColoring(study, one, dark) : coloring(study, one, dark);
    draw(found.canvas, coords, colors, dots);
  };
  const visible = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries)
        if (isIntersecting) paint(Number((target as HTMLElement).dataset["layer"]));
    },
    { rootMargin: "200px" },
  );
  const repaint = deferred(ctx, () => {
    dots = null;
    mark();
    // What is in sight is told anew.
    for (const { button } of frames.values()) {
      visible.unobserve(button);
      visible.observe(button);
    }
  });
  const build = () => {
    const state = ctx.store.get();
    const layers = mappedLayers(study, state);
    const names = withoutEnd(study.shortNames(state.model).names);
    visible.disconnect();
    drawn.clear();
    frames = new Map(
      layers.map((layer) => {
        const name = names[layer] ?? "";
        const canvas = h("canvas", { width: 2 * SIDE, height: 2 * SIDE, "aria-hidden": "true" });
        const button = h(
          "button",
          {
            type: "button",
            title: study.listed({ model: state.model, layer }).name,
            "data-layer": layer,
            "data-testid": `film-${layer}`,
            onclick: () => {
              ctx.fleeting.set({ playing: null });
              change(ctx, { layer });
            },
          },
          canvas,
          h("span", {}, bdi(shortenMiddle(name, SIDE, widthOf))),
        );
        return [layer, { button, canvas }];
      }),
    );
    row.replaceChildren(...[...frames.values()].map(({ button }) => button));
    element.hidden = layers.length < 2;
    mark();
    repaint();
  };
  const mark = () => {
    const state = ctx.store.get();
    const here = ownLayer(study, state);
    for (const [layer, { button }] of frames) {
      const current = layer === here;
      if (current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (!current || row.scrollWidth <= row.clientWidth) continue;
      const left = button.offsetLeft - row.offsetLeft - (row.clientWidth - SIDE) / 2;
      row.scrollTo?.({ left, behavior: reducedMotion() ? "instant" : "smooth" });
    }
  };
  element.addEventListener("toggle", repaint);
  ctx.onDestroy(ctx.store.watch(["model", "epoch"], build));
  ctx.onDestroy(ctx.store.subscribe((now, before) => now.layer !== before.layer && mark()));
  ctx.onDestroy(
    ctx.store.subscribe((now, before) => {
      if (now.color !== before.color || now.classes !== before.classes || now.only !== before.only)
        repaint();
    }),
  );
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && repaint()));
  ctx.onDestroy(() => visible.disconnect());
  return element;
}

/** Pixels of a name in its heaviest form, that of what is shown. */
function widthOf(text: string): number {
  return textWidth(text, 12, 600);
}

/** Some of the points that are shown, from all over. */
function dotsOf(study: Study, state: ViewState): number[] {
  const all = shown(study, state);
  const count = all?.length ?? study.n;
  const step = Math.max(1, count / DOTS);
  return Array.from({ length: Math.min(count, DOTS) }, (_, i) => {
    const at = Math.floor(i * step);
    return all ? (all[at] as number) : at;
  });
}

function draw(
  canvas: HTMLCanvasElement,
  { x, y }: Coords,
  { categories, colors }: Coloring,
  dots: number[],
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const side = canvas.width;
  const size = dots.length > 600 ? 2.5 : 4;
  context.clearRect(0, 0, side, side);
  for (const i of dots) {
    context.fillStyle = colors[categories[i] as number] as string;
    const left = (((x[i] as number) + 1) / 2) * side;
    const top = ((1 - (y[i] as number)) / 2) * side;
    context.fillRect(left - size / 2, top - size / 2, size, size);
  }
}
