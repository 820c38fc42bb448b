import { type Context, change } from "../context.ts";
import {
  describeDifference,
  describeScore,
  formatCount,
  formatNumber,
  formatShape,
  measureTitle,
  sizeOf,
} from "../data/format.ts";
import type { Place } from "../data/study.ts";
import { bdi, h } from "../dom.ts";
import { epochWords, placeName } from "./places.ts";
import { type ViewState, scoreOf } from "../state/view-state.ts";

/** Every score of every layer, to be read or copied. */
export function table(ctx: Context): HTMLElement {
  const { study } = ctx;
  const measures = study.payload.measures;
  const holder = h("div", {
    class: "scroller",
    tabindex: "0",
    role: "region",
    "aria-label": "Table of scores",
  });
  const classes = h("div", { "data-testid": "class-table" });
  const details = h(
    "details",
    { class: "table", "data-testid": "table" },
    h("summary", {}, "All scores as a table"),
    holder,
    classes,
  );
  const draw = (state: ViewState) => {
    if (!details.open) return;
    const { layers } = study.model(state.model);
    const head = h(
      "tr",
      {},
      h("th", { scope: "col" }, "Layer"),
      h("th", { scope: "col" }, "Shape"),
      h("th", { scope: "col" }, "KL of the map"),
      ...measures.map((measure) => {
        const places = layers.map((_, layer) => ({ ...state, layer }));
        const size = sizeOf(places.map((place) => scoreOf(study, place, measure.name)));
        const title = measureTitle(measure, measures);
        return h("th", { scope: "col" }, title, " ", h("span", { class: "size" }, size));
      }),
    );
    const rows = layers.map(({ name, shape }, layer) => {
      const place = { ...state, layer };
      return h(
        "tr",
        { class: layer === state.layer ? "current" : null },
        h(
          "th",
          { scope: "row" },
          h(
            "button",
            { type: "button", class: "link", onclick: () => change(ctx, { layer }) },
            bdi(name),
          ),
        ),
        h("td", {}, formatShape(shape)),
        h("td", {}, study.layer(place).klDivergence?.toFixed(3) ?? "n/a"),
        ...measures.map((measure) => {
          const score = scoreOf(study, place, measure.name);
          const missing = !score || score.value === null;
          const title = [describeScore(score), ...changes(ctx, place, measure.name)].join("\n");
          return h("td", { title, class: missing ? "missing" : null }, formatNumber(score?.value));
        }),
      );
    });
    const caption = epochWords(study, state).map((words) => h("caption", {}, `At ${words}`));
    holder.replaceChildren(
      h("table", {}, ...caption, h("thead", {}, head), h("tbody", {}, ...rows)),
    );
    classes.replaceChildren(...ofClasses(ctx, state));
  };
  details.addEventListener("toggle", () => draw(ctx.store.get()));
  ctx.onDestroy(ctx.store.watch(["model", "layer", "epoch"], draw));
  return details;
}

/** How surely a score differs from that of the layer before, and of another model. */
function changes({ study }: Context, place: Place, measure: string): string[] {
  const value = study.score(place, measure)?.value ?? null;
  return study.comparedWith(place).flatMap((other) => {
    const found = study.difference(other, place, measure);
    const before = study.score(other, measure)?.value ?? null;
    if (!found || value === null || before === null) return [];
    const { name } = study.listed(other);
    const of = other.model === place.model ? "" : ` of ${study.model(other.model).name}`;
    return [`from ${name}${of}: ${describeDifference(value - before, found)}`];
  });
}

/** The scores of each class at the layer shown, of the measures that have them. */
function ofClasses({ study }: Context, state: ViewState): HTMLElement[] {
  const found = study.payload.measures.flatMap((measure) => {
    const values = scoreOf(study, state, measure.name)?.perClass;
    return values ? [{ title: measureTitle(measure, study.payload.measures), values }] : [];
  });
  if (!found.length) return [];
  const head = ["Class", "Points", ...found.map(({ title }) => title)].map((text) =>
    h("th", { scope: "col" }, text),
  );
  const rows = study.classNames.map((name, i) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, bdi(name)),
      h("td", {}, formatCount(study.counts[i] ?? 0)),
      ...found.map(({ values }) => {
        const value = values[i] ?? null;
        return h("td", { class: value === null ? "missing" : null }, formatNumber(value));
      }),
    ),
  );
  const name = placeName(study, state);
  return [
    h("h3", {}, "Of each class at ", bdi(name)),
    h(
      "div",
      {
        class: "scroller",
        tabindex: "0",
        role: "region",
        "aria-label": `Scores of each class at ${name}`,
      },
      h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)),
    ),
  ];
}
