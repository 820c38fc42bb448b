import { type Context, change, deferred } from "../context.ts";
import { formatPercent, plural, shorten } from "../data/format.ts";
import type { Place, Study } from "../data/study.ts";
import { bdi, freshId, h, press } from "../dom.ts";
import { hereWords, placeName } from "./places.ts";
import type { ViewState } from "../state/view-state.ts";

/** How many are shown at first, and each time that more are asked for: pictures, or words. */
const PICTURES = 28;
const WORDS = 12;

export interface WorstPoint {
  point: number;
  hit: number;
}

/**
 * The points of a class that have neighbors of others: those with the fewest of their own first; of
 * as few, those first that the model took for another class, and of these the surest.
 */
export function worstPoints(
  study: Study,
  place: Place,
  wanted: number | null,
  count: number,
): { points: WorstPoint[]; all: number } {
  const hits = study.hits(place) ?? study.mapHits(place);
  if (!hits) return { points: [], all: 0 };
  const predictions = study.predictions(place);
  const confidence = study.confidence(place);
  const wrong = (i: number) =>
    predictions && predictions[i] !== study.labels[i] ? 1 + (confidence?.[i] ?? 0) : 0;
  const before = (a: WorstPoint, b: WorstPoint) =>
    a.hit - b.hit || wrong(b.point) - wrong(a.point) || a.point - b.point;
  // Only the first ones are kept in order: all could be a million.
  const points: WorstPoint[] = [];
  let all = 0;
  for (let i = 0; i < study.n; i++) {
    const hit = hits[i] as number;
    if (hit >= 1 || !study.isLabeled(i)) continue;
    if (wanted !== null && study.labels[i] !== wanted) continue;
    all++;
    const found = { point: i, hit };
    const last = points.at(-1);
    if (points.length >= count && last && before(last, found) <= 0) continue;
    let at = points.length;
    while (at > 0 && before(points[at - 1] as WorstPoint, found) > 0) at--;
    points.splice(at, 0, found);
    if (points.length > count) points.pop();
  }
  return { points, all };
}

/** The class of most of a point's neighbors, where it is not its own. */
export function suggested(study: Study, place: Place, point: number): number | null {
  const counts = new Map<number, number>();
  for (const other of study.neighbors(place, point)) {
    const label = study.labels[other] as number;
    if (study.isLabeled(other)) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const [best, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [null, 0];
  return best !== null && 2 * count > all && best !== study.labels[point] ? best : null;
}

export function worst(ctx: Context): HTMLElement {
  const { study, sprites } = ctx;
  const id = freshId("worst");
  const strip = h("ul", { class: "strip", "data-testid": "worst" });
  const batch = sprites ? PICTURES : WORDS;
  let count = batch;
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
  const more = h("button", {
    type: "button",
    "data-testid": "worst-more",
    onclick: () => {
      count += batch;
      draw();
    },
  });
  const draw = () => {
    const state = ctx.store.get();
    select.value = state.worst === null ? "" : String(state.worst);
    const { points, all } = worstPoints(study, state, state.worst, count);
    const measured = study.hits(state) ?? study.mapHits(state);
    const space = study.hits(state) ? "" : " on the map";
    where.hidden = !measured;
    const of =
      all > points.length
        ? `${points.length} of ${plural(all, "point", "points")} with`
        : "Those with";
    const ties = study.predictions(state) ? " Of as few, the surest mistakes come first." : "";
    where.replaceChildren(
      `${of} neighbors of other classes${space}, at ${placeName(study, state)}, the fewest of their own first.${ties} `,
      h("span", { class: "on-screen" }, "Click one to find it on the map."),
    );
    none.hidden = points.length > 0;
    none.textContent = measured
      ? "All neighbors of these points are of their own class."
      : `Neighbors of points are not measured ${hereWords(study, state)}.`;
    if (!points.length) where.hidden = true;
    more.hidden = all <= points.length;
    more.textContent = `Show ${Math.min(batch, all - points.length)} more`;
    const focused = document.activeElement?.getAttribute("data-testid");
    strip.replaceChildren(...points.map(({ point, hit }) => item(ctx, state, point, hit)));
    if (focused?.startsWith("worst-")) {
      strip
        .querySelector<HTMLElement>(`[data-testid="${focused}"]`)
        ?.focus({ preventScroll: true });
    }
  };
  const later = deferred(ctx, draw);
  ctx.onDestroy(ctx.store.watch(["model", "layer", "epoch", "worst"], () => (count = batch)));
  ctx.onDestroy(ctx.store.watch(["model", "layer", "epoch", "worst", "focus"], later));
  return h(
    "section",
    { class: "worst", "aria-labelledby": id, hidden: study.values !== null },
    h("div", { class: "title-row" }, h("h2", { id }, "Worst points of"), select),
    where,
    none,
    strip,
    more,
  );
}

function item(ctx: Context, state: ViewState, point: number, hit: number): HTMLElement {
  const { study, sprites } = ctx;
  const name = study.classNames[study.labels[point] as number] ?? "";
  const snippet = study.payload.snippets?.[point];
  const near = suggested(study, state, point);
  const other = near === null ? null : (study.classNames[near] ?? "");
  const picture = sprites?.thumb(point, 48);
  const words = snippet && h("span", { class: "snippet", dir: "auto" }, shorten(snippet, 60));
  const button = h(
    "button",
    {
      type: "button",
      "data-testid": `worst-${point}`,
      onclick: () => {
        const held = state.focus === point;
        change(ctx, { focus: held ? null : point });
        if (!held) ctx.reveal(point);
      },
    },
    picture,
    words || (!picture && h("span", { class: "snippet" }, `#${study.sampleOf(point)}`)),
    h("span", { class: "spoken" }, `Sample ${study.sampleOf(point)}, class`),
    h("small", {}, bdi(shorten(name, 10)), ` · ${formatPercent(hit, 0)}`),
    other !== null &&
      h("small", { title: "The class of most of its neighbors" }, "near ", bdi(shorten(other, 10))),
  );
  press(button, state.focus === point);
  return h("li", {}, button);
}
