import type { Context } from "../context.ts";
import {
  GIVEN_MAP,
  describeDifference,
  describeScore,
  formatDifference,
  formatNumber,
  formatP,
  formatShape,
  intervalOf,
  measureTitle,
  plural,
  sentence,
  sizeOf,
} from "../data/format.ts";
import type { Score } from "../data/payload.ts";
import type { Difference, Place } from "../data/study.ts";
import { bdi, breakable, h } from "../dom.ts";
import { epochWords } from "./places.ts";
import { type ViewState, scoreOf } from "../state/view-state.ts";

/** The scores beside the picture: those of the layer shown, and of the one beside it. */
export function reading(ctx: Context): HTMLElement {
  const element = h("section", {
    class: "reading",
    "aria-label": "Scores of this layer",
    "data-testid": "reading",
  });
  const draw = (state: ViewState) => {
    const here: Place = { model: state.model, layer: state.layer, epoch: state.epoch };
    element.replaceChildren(
      ...(state.other
        ? [comparison(ctx, state, here, state.other), ...remarks(ctx, state, [here, state.other])]
        : [
            heading(ctx, here),
            about(ctx, here),
            scores(ctx, state, here),
            ...remarks(ctx, state, [here]),
          ]),
    );
  };
  ctx.onDestroy(ctx.store.watch(["model", "layer", "epoch", "other", "measures"], draw));
  return element;
}

function heading({ study }: Context, place: Place): HTMLElement {
  return h("h2", { "data-testid": "layer-name" }, breakable(study.listed(place).name));
}

/** What the layer is, and how well its map tells its distances. */
function about({ study }: Context, place: Place): HTMLElement {
  const { kind, shape, sameAs, map, pool } = study.entry(place) ?? study.listed(place);
  const divergence = study.layer(place).klDivergence;
  const parts: (Node | string)[] = [];
  if (study.models.length > 1)
    parts.push(h("b", { class: "model-of" }, bdi(study.model(place.model).name)));
  for (const words of epochWords(study, place))
    parts.push(h("b", { "data-testid": "epoch-name" }, words));
  for (const fact of [kind, formatShape(shape)]) if (fact) parts.push(bdi(fact));
  if (pool) parts.push(h("span", { "data-testid": "pool" }, `pooled: ${pool}`));
  if (sameAs !== null && !map) parts.push(h("span", {}, "same as ", bdi(sameAs)));
  if (divergence !== null) {
    const title =
      "Kullback–Leibler divergence of the map from the distances in the layer: t-SNE makes it as small as it can";
    parts.push(
      h("span", { title, "data-testid": "divergence" }, `map KL ${divergence.toFixed(3)}`),
    );
  }
  const line = h("p", { class: "layer-facts" });
  parts.forEach((part, i) => line.append(i ? " · " : "", part));
  return line;
}

function scores({ study }: Context, state: ViewState, place: Place): HTMLElement {
  const rows = state.measures.map((name) => {
    const measure = study.measure(name);
    if (!measure) return null;
    const title = measureTitle(measure, study.payload.measures);
    const score = scoreOf(study, place, name);
    const cell = h("dd", {});
    fill(cell, score, name);
    return h("div", { class: "score" }, h("dt", {}, title, ...size([score])), cell);
  });
  return h("dl", { class: "scores" }, ...rows);
}

/** Two places side by side, and how much more or less the second has. */
function comparison(ctx: Context, state: ViewState, here: Place, there: Place): HTMLElement {
  const { study } = ctx;
  const places = [here, there];
  const head = places.map((place) =>
    h("th", { scope: "col" }, heading(ctx, place), about(ctx, place)),
  );
  const rows = state.measures.flatMap((name) => {
    const measure = study.measure(name);
    if (!measure) return [];
    const found = places.map((place) => scoreOf(study, place, name));
    const cells = found.map((score) => {
      const cell = h("td", {});
      fill(cell, score, name);
      return cell;
    });
    const [one, other] = found.map((score) => score?.value ?? null);
    const known = one !== null && one !== undefined && other !== null && other !== undefined;
    const change = known
      ? difference(
          name,
          other - one,
          study.difference(here, there, name),
          found.some((score) => score?.givenMap),
        )
      : h("td", { class: "difference" });
    const title = measureTitle(measure, study.payload.measures);
    return [h("tr", {}, h("th", { scope: "row" }, title, ...size(found)), ...cells, change)];
  });
  const changed = h("th", { scope: "col", class: "difference" }, "change");
  return h(
    "table",
    { class: "comparison" },
    h("thead", {}, h("tr", {}, h("td", {}), ...head, changed)),
    h("tbody", {}, ...rows),
  );
}

/** How much more or less, and how surely where the two places were compared. */
function difference(
  name: string,
  change: number,
  found: Difference | null,
  givenMap: boolean,
): HTMLElement {
  const cell = h(
    "td",
    { class: "difference", "data-testid": `change-${name}` },
    formatDifference(change),
  );
  if (found) {
    cell.title = describeDifference(change, found);
    const sure = `${intervalOf({ ...found, givenMap })}, ${formatP(found.p)}`;
    cell.append(h("small", {}, sure));
  }
  return cell;
}

/** From how many samples scores are, to stand behind the title of their measure. */
function size(scores: (Score | null)[]): (string | HTMLElement)[] {
  const text = sizeOf(scores);
  return text ? [" ", h("span", { class: "size" }, text)] : [];
}

function fill(cell: HTMLElement, score: Score | null, name: string): void {
  const text = describeScore(score);
  const missing = !score || score.value === null;
  cell.title = text;
  cell.classList.toggle("missing", missing);
  cell.dataset["testid"] = `value-${name}`;
  cell.append(h("b", {}, formatNumber(score?.value)));
  if (missing) cell.append(h("small", {}, ` ${text.replace(/^n\/a: /, "")}`));
  else if (score.interval) cell.append(h("small", {}, ` ${intervalOf(score)}`));
}

function remarks({ study }: Context, state: ViewState, places: Place[]): HTMLElement[] {
  const notes = places.flatMap((place) => {
    const [entry, shown] = [study.entry(place), study.layer(place)];
    const said = [entry?.reduction, shown.reduction, ...(entry?.notes ?? []), ...shown.notes];
    const { name } = study.listed(place);
    const told = said.filter((note) => note != null).map(sentence);
    return told.map((note) => (places.length > 1 ? `${name}: ${note}` : note));
  });
  const given = (place: Place) =>
    state.measures.some((name) => scoreOf(study, place, name)?.givenMap);
  if (places.some(given)) notes.push(GIVEN_MAP);
  const [here, there] = places;
  const count = state.measures
    .map((name) => here && there && study.difference(here, there, name)?.count)
    .find(Boolean);
  if (count) {
    notes.push(`p of the change is corrected for ${plural(count, "comparison", "comparisons")}.`);
  }
  return [...new Set(notes)].map((note) => h("p", { class: "note", dir: "auto" }, note));
}
