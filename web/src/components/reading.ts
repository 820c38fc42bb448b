import type { Context } from "../context.ts";
import { describeScore, formatInterval, formatNumber, formatShape, measureTitle } from "../data/format.ts";
import type { Score } from "../data/payload.ts";
import { bdi, h } from "../dom.ts";
import { type Place, type ViewState, scoreOf } from "../state/view-state.ts";

/** The scores beside the picture: those of the layer shown, and of the one beside it. */
export function reading(ctx: Context): HTMLElement {
  const element = h("section", {
    class: "reading",
    "aria-label": "Scores of this layer",
    "data-testid": "reading",
  });
  const draw = (state: ViewState) => {
    const here: Place = { model: state.model, layer: state.layer };
    const places = state.other ? [here, state.other] : [here];
    element.classList.toggle("double", places.length > 1);
    element.replaceChildren(
      ...places.map((place) => heading(ctx, place)),
      scores(ctx, state, places),
      ...remarks(ctx, places),
    );
  };
  ctx.onDestroy(ctx.store.watch(["model", "layer", "epoch", "other", "measures"], draw));
  return element;
}

function heading({ study }: Context, { model, layer }: Place): HTMLElement {
  const { name, kind, shape, sameAs, map } = study.listed(model, layer);
  const view = sameAs !== null && !map;
  const facts = [kind, formatShape(shape)].filter(Boolean).join(" · ");
  return h(
    "div",
    { class: "heading" },
    h("h2", { "data-testid": "layer-name" }, bdi(name)),
    h(
      "p",
      {},
      study.models.length > 1 && bdi(study.model(model).name),
      study.models.length > 1 && " · ",
      bdi(facts),
      view && h("span", {}, " · same as ", bdi(sameAs)),
    ),
  );
}

function scores({ study }: Context, state: ViewState, places: Place[]): HTMLElement {
  const rows = state.measures.map((name, i) => {
    const measure = study.measure(name);
    if (!measure) return null;
    const values = places.map(({ model, layer }) =>
      value(scoreOf(study, model, layer, state.epoch, name), name),
    );
    const title = measureTitle(measure, study.payload.measures);
    return h("div", { class: i === 0 ? "score first" : "score" }, h("dt", {}, title), ...values);
  });
  return h("dl", { class: "scores" }, ...rows);
}

function value(score: Score | null, name: string): HTMLElement {
  const text = describeScore(score);
  const missing = !score || score.value === null;
  const interval = score?.interval;
  return h(
    "dd",
    { title: text, class: missing ? "missing" : null, "data-testid": `value-${name}` },
    h("b", {}, formatNumber(score?.value)),
    interval &&
      !missing &&
      h("small", {}, ` ${formatInterval(interval)}`),
    missing && h("small", {}, ` ${text.replace(/^n\/a: /, "")}`),
  );
}

function remarks({ study }: Context, places: Place[]): HTMLElement[] {
  const notes = places.flatMap(({ model, layer }) => [
    ...study.listed(model, layer).notes,
    ...study.layer(model, layer).notes,
  ]);
  return [...new Set(notes)].map((note) => h("p", { class: "note" }, note));
}
