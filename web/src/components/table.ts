import { type Context, change } from "../context.ts";
import { describeScore, formatNumber, formatShape, measureTitle } from "../data/format.ts";
import { bdi, h } from "../dom.ts";
import { type ViewState, scoreOf } from "../state/view-state.ts";

/** Every score of every layer, to be read or copied. */
export function table(ctx: Context): HTMLElement {
  const { study } = ctx;
  const measures = study.payload.measures;
  const holder = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Table of scores" });
  const details = h(
    "details",
    { class: "table", "data-testid": "table" },
    h("summary", {}, "All scores as a table"),
    holder,
  );
  const draw = (state: ViewState) => {
    if (!details.open) return;
    const head = h(
      "tr",
      {},
      h("th", { scope: "col" }, "Layer"),
      h("th", { scope: "col" }, "Shape"),
      ...measures.map((measure) => h("th", { scope: "col" }, measureTitle(measure, measures))),
    );
    const rows = study.model(state.model).layers.map(({ name, shape }, layer) =>
      h(
        "tr",
        { class: layer === state.layer ? "current" : null },
        h(
          "th",
          { scope: "row" },
          h("button", { type: "button", class: "link", onclick: () => change(ctx, { layer }) }, bdi(name)),
        ),
        h("td", {}, formatShape(shape)),
        ...measures.map((measure) => {
          const score = scoreOf(study, state.model, layer, state.epoch, measure.name);
          const missing = !score || score.value === null;
          return h("td", { title: describeScore(score), class: missing ? "missing" : null }, formatNumber(score?.value));
        }),
      ),
    );
    holder.replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)));
  };
  details.addEventListener("toggle", () => draw(ctx.store.get()));
  ctx.onDestroy(ctx.store.watch(["model", "layer", "epoch"], draw));
  return details;
}
