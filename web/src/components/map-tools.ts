import { type Context, change } from "../context.ts";
import { mappedLayers } from "../data/follow.ts";
import { h, press } from "../dom.ts";
import { icon } from "../icons.ts";

/** Give the map and its sliders the whole screen, or give it back. */
function fillScreen(event: Event): void {
  if (document.fullscreenElement) return void document.exitFullscreen();
  const stage = (event.currentTarget as Element).closest(".stage");
  void stage?.requestFullscreen().catch(() => undefined);
}

/** Buttons on the map itself: lasso, and how near one looks. */
export function mapTools(ctx: Context): HTMLElement {
  const tool = (
    id: string,
    name: Parameters<typeof icon>[0],
    label: string,
    onclick: (event: Event) => void,
  ) =>
    h(
      "button",
      { type: "button", "aria-label": label, title: label, "data-testid": id, onclick },
      icon(name),
    );
  const lasso = tool("lasso", "lasso", "Lasso: draw round points to select them (l)", () => {
    ctx.fleeting.set({ lasso: !ctx.fleeting.get().lasso });
  });
  ctx.onDestroy(ctx.fleeting.watch(["lasso"], (now) => press(lasso, now.lasso)));
  const trails = tool(
    "trails",
    "trail",
    "Trails: the way of the held and selected points over the layers (t)",
    () => change(ctx, { trails: !ctx.store.get().trails }),
  );
  ctx.onDestroy(ctx.store.watch(["trails"], (now) => press(trails, now.trails)));
  trails.hidden = mappedLayers(ctx.study, { model: 0, epoch: null }).length < 2;
  return h(
    "div",
    { class: "map-tools", role: "group", "aria-label": "Map" },
    lasso,
    trails,
    tool("zoom-in", "plus", "Nearer (+)", () => ctx.zoom(1.4)),
    tool("zoom-out", "minus", "Farther (\u2212)", () => ctx.zoom(1 / 1.4)),
    tool("zoom-fit", "fit", "Whole map (0, or double-click)", () => ctx.zoom(null)),
    document.fullscreenEnabled && tool("full-screen", "screen", "Full screen", fillScreen),
  );
}
