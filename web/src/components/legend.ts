import { type Context, change } from "../context.ts";
import { formatCount } from "../data/format.ts";
import { bdi, h, press, s } from "../dom.ts";
import { type LegendEntry, colouring } from "../map/colouring.ts";
import { DASHES, LINES } from "../map/overlay.ts";
import type { Overlay } from "../state/view-state.ts";

/** Names of more characters get a row of their own. */
const LONG = 9;

/** What the colours and lines mean; classes in it can be shown alone. */
export function legend(ctx: Context): HTMLElement {
  const title = h("h2", {});
  const list = h("ul", { class: "entries", "data-testid": "legend" });
  const lines = h("ul", { class: "line-entries" });
  const hint = h("p", { class: "hint" }, "Click a class to show it alone, Ctrl-click for several.");
  const draw = () => {
    const state = ctx.store.get();
    const { dark } = ctx.fleeting.get();
    const { title: text, entries } = colouring(ctx.study, state, dark);
    title.textContent = text;
    const focused = (list.getRootNode() as Document).activeElement?.getAttribute("data-testid");
    // With two maps of two models, the numbers of one of them would mislead.
    list.classList.toggle("uncounted", state.other !== null && entries[0]?.class === null);
    list.classList.toggle("many", entries.length > 24);
    list.classList.toggle("long", entries.some(({ label }) => [...label].length > LONG));
    list.replaceChildren(...entries.map((entry) => item(ctx, entry)));
    if (focused) list.querySelector<HTMLElement>(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
    lines.replaceChildren(...state.overlays.map(line));
    lines.hidden = !state.overlays.length;
    hint.hidden = entries[0]?.class === null || entries.length < 2;
  };
  ctx.onDestroy(
    ctx.store.watch(["model", "layer", "other", "colour", "overlays", "classes"], draw),
  );
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && draw()));
  return h("section", { class: "legend", "aria-label": "Legend" }, title, list, lines, hint);
}

function item(ctx: Context, { label, colour, count, class: index }: LegendEntry): HTMLElement {
  const dot = h("i", { class: "dot" });
  dot.style.background = colour;
  const amount = h("span", { class: "count" }, formatCount(count));
  if (index === null) return h("li", {}, h("span", { class: "entry" }, dot, h("span", {}, label), amount));
  const { classes } = ctx.store.get();
  const button = h(
    "button",
    {
      type: "button",
      class: classes && !classes.includes(index) ? "entry off" : "entry",
      title: label,
      "data-testid": `legend-${index}`,
      onclick: (event) => {
        const { ctrlKey, metaKey, shiftKey } = event as MouseEvent;
        change(ctx, { classes: choose(ctx.store.get().classes, index, ctrlKey || metaKey || shiftKey) });
      },
    },
    dot,
    bdi(label),
    amount,
  );
  press(button, classes?.includes(index) ?? false);
  return h("li", {}, button);
}

/** The classes shown once this one is clicked. */
export function choose(classes: number[] | null, index: number, several: boolean): number[] | null {
  if (several) {
    const now = classes ?? [];
    const next = now.includes(index) ? now.filter((i) => i !== index) : [...now, index];
    return next.length ? next.sort((a, b) => a - b) : null;
  }
  return classes?.length === 1 && classes[0] === index ? null : [index];
}

function line(overlay: Overlay): HTMLElement {
  const sample = s(
    "svg",
    { class: "line-sample", viewBox: "0 0 28 8", "aria-hidden": "true" },
    s("line", { x1: 0, y1: 4, x2: 28, y2: 4, "stroke-dasharray": DASHES[overlay] }),
  );
  return h("li", {}, sample, LINES[overlay]);
}
