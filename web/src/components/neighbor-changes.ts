import { type Context, change } from "../context.ts";
import { neighborChange, neighborLayers, ownLayer } from "../data/follow.ts";
import { plural } from "../data/format.ts";
import { bdi, h, s } from "../dom.ts";
import type { ViewState } from "../state/view-state.ts";

const [WIDTH, HEIGHT] = [240, 40];

/** What a point's neighbors were at the layer before, and how many stay from layer to layer. */
export function neighborChanges(
  ctx: Context,
  state: ViewState,
  point: number,
  card: (point: number) => HTMLElement,
): HTMLElement[] {
  const { study } = ctx;
  const { model, epoch } = state;
  const layers = neighborLayers(study, state);
  const here = layers.indexOf(ownLayer(study, state));
  const { names } = study.shortNames(model);
  if (layers.length < 2 || here < 0) return [];
  const place = (at: number) => ({ model, epoch, layer: layers[at] as number });
  const parts: HTMLElement[] = [];
  if (here > 0) {
    const { kept, gained, lost } = neighborChange(study, place(here - 1), place(here), point);
    const from = names[layers[here - 1] as number] ?? "";
    parts.push(
      h(
        "p",
        { class: "hint", "data-testid": "neighbor-change" },
        "From ",
        bdi(from),
        ` to here: ${kept.length} kept, ${gained.length} new, ${lost.length} lost.`,
      ),
    );
    if (lost.length)
      parts.push(
        h(
          "details",
          { class: "lost" },
          h("summary", {}, plural(lost.length, "lost neighbor", "lost neighbors")),
          h("ul", { "data-testid": "lost" }, ...lost.map((other) => h("li", {}, card(other)))),
        ),
      );
  }
  parts.push(keptOver(ctx, point, layers, here));
  return parts;
}

/** How many of a point's neighbors stay at each step from layer to layer, as bars to click. */
function keptOver(ctx: Context, point: number, layers: number[], here: number): HTMLElement {
  const { study, store } = ctx;
  const { model, epoch } = store.get();
  const { names } = study.shortNames(model);
  const place = (at: number) => ({ model, epoch, layer: layers[at] as number });
  const steps = layers.slice(1).map((_, at) => {
    const { kept, gained } = neighborChange(study, place(at), place(at + 1), point);
    return { kept: kept.length, all: kept.length + gained.length };
  });
  const wide = WIDTH / steps.length;
  const said = steps.map(
    ({ kept, all }, at) => `${names[layers[at + 1] as number] ?? ""} ${kept} of ${all}`,
  );
  const bars = steps.flatMap(({ kept, all }, at) => {
    const [x, width] = [at * wide + 1, Math.max(1, wide - 2)];
    const tall = all ? (kept / all) * (HEIGHT - 2) : 0;
    const kind = at + 1 === here ? "own here" : "own";
    return [
      s("rect", { class: "room", x, width, y: 1, height: HEIGHT - 2 }),
      tall > 0 && s("rect", { class: kind, x, width, y: HEIGHT - 1 - tall, height: tall }),
    ];
  });
  const svg = s(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `Neighbors kept from the layer before: ${said.join(", ")}`,
    },
    ...bars,
  );
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / Math.max(1, box.width)) * steps.length);
    const layer = layers[Math.min(steps.length, Math.max(0, at) + 1)];
    if (layer !== undefined) change(ctx, { layer });
  });
  const ends = [names[layers[1] as number] ?? "", names[layers.at(-1) as number] ?? ""];
  return h(
    "figure",
    { class: "kept-over", "data-testid": "kept-over" },
    h("figcaption", {}, "Neighbors kept from the layer before"),
    svg,
    h("p", { class: "ends" }, ...[...new Set(ends)].map((name) => h("span", {}, bdi(name)))),
  );
}
