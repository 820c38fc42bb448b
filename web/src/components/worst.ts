import { type Context, change, deferred } from "../context.ts";
import { formatPercent, shorten } from "../data/format.ts";
import type { Place, Study } from "../data/study.ts";
import { bdi, freshId, h, press } from "../dom.ts";
import { hereWords, placeName } from "./places.ts";
import type { ViewState } from "../state/view-state.ts";

/** How many are shown: pictures, or words. */
const PICTURES = 28;
const WORDS = 12;

/** The points of a class with the fewest neighbors of their own class, the worst first. */
export function worstPoints(
  study: Study,
  place: Place,
  wanted: number | null,
  count: number,
): { point: number; hit: number }[] {
  const hits = study.hits(place) ?? study.mapHits(place);
  if (!hits) return [];
  const found: { point: number; hit: number }[] = [];
  for (let i = 0; i < study.n; i++) {
    const hit = hits[i] as number;
    if (!study.isLabeled(i)) continue;
    if (hit < 1 && (wanted === null || study.labels[i] === wanted)) found.push({ point: i, hit });
  }
  return found.sort((a, b) => a.hit - b.hit || a.point - b.point).slice(0, count);
}

export function worst(ctx: Context): HTMLElement {
  const { study, sprites } = ctx;
  const id = freshId("worst");
  const strip = h("ul", { class: "strip", "data-testid": "worst" });
  const select = h(
    "select",
    {
      "aria-label": "Class whose worst points are shown",
      "data-testid": "worst-class",
      onchange: () => change(ctx, { worst: select.value === "" ? null : Number(select.value) }),
    },
    h("option", { value: "" }, "all classes"),
    ...study.classNames.map((name, i) => h("option", { value: i, dir: "auto" }, name)),
  );
  const none = h("p", { class: "hint" });
  const where = h("p", { class: "hint", dir: "auto", "data-testid": "worst-place" });
  const draw = () => {
    const state = ctx.store.get();
    select.value = state.worst === null ? "" : String(state.worst);
    const points = worstPoints(study, state, state.worst, sprites ? PICTURES : WORDS);
    const measured = study.hits(state) ?? study.mapHits(state);
    const space = study.hits(state) ? "" : " on the map";
    where.hidden = !measured;
    where.replaceChildren(
      `Least share of neighbors of their own class${space}, at ${placeName(study, state)}. `,
      h("span", { class: "on-screen" }, "Click one to find it on the map."),
    );
    none.hidden = points.length > 0;
    none.textContent = measured
      ? "All neighbors of these points are of their own class."
      : `Neighbors of points are not measured ${hereWords(study, state)}.`;
    const focused = document.activeElement?.getAttribute("data-testid");
    strip.replaceChildren(...points.map(({ point, hit }) => item(ctx, state, point, hit)));
    if (focused?.startsWith("worst-")) {
      strip.querySelector<HTMLElement>(`[data-testid="${focused}"]`)?.focus();
    }
  };
  const later = deferred(ctx, draw);
  ctx.onDestroy(ctx.store.watch(["model", "layer", "epoch", "worst", "focus"], later));
  return h(
    "section",
    { class: "worst", "aria-labelledby": id, hidden: study.values !== null },
    h("div", { class: "title-row" }, h("h2", { id }, "Worst points of"), select),
    where,
    none,
    strip,
  );
}

function item(ctx: Context, state: ViewState, point: number, hit: number): HTMLElement {
  const { study, sprites } = ctx;
  const name = study.classNames[study.labels[point] as number] ?? "";
  const snippet = study.payload.snippets?.[point];
  const picture = sprites?.thumb(point, 48);
  const words = snippet && h("span", { class: "snippet", dir: "auto" }, shorten(snippet, 60));
  const button = h(
    "button",
    {
      type: "button",
      "data-testid": `worst-${point}`,
      onclick: () => change(ctx, { focus: state.focus === point ? null : point }),
    },
    picture,
    words || (!picture && h("span", { class: "snippet" }, `#${study.sampleOf(point)}`)),
    h("span", { class: "spoken" }, `Sample ${study.sampleOf(point)}, class`),
    h("small", {}, bdi(shorten(name, 10)), ` · ${formatPercent(hit, 0)}`),
  );
  press(button, state.focus === point);
  return h("li", {}, button);
}
