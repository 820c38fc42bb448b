import type { Context } from "../context.ts";
import { formatPercent, shorten } from "../data/format.ts";
import { labelColors } from "../data/palette.ts";
import { bdi, h } from "../dom.ts";
import type { Place } from "../data/study.ts";

const SNIPPET = 280;
/** Columns of the metadata, where there is room for few. */
const COLUMNS = 4;
const VALUE = 120;
const SHORT = 28;

/** A point in words and its picture. */
export function pointCard(
  ctx: Context,
  place: Place,
  point: number,
  side: number,
  columns = COLUMNS,
): HTMLElement {
  const { study, sprites } = ctx;
  const label = study.labels[point] as number;
  const prediction = study.predictions(place)?.[point];
  const confidence = study.confidence(place)?.[point];
  const snippet = study.payload.snippets?.[point];
  const facts = h("dl", { class: "facts" });
  const fact = (term: string, ...value: (Node | string)[]) => {
    facts.append(h("div", {}, h("dt", {}, term), h("dd", {}, ...value)));
  };
  if (study.values) fact("Value", study.labelName(point));
  else fact("Label", className(ctx, label));
  if (prediction !== undefined) {
    const sure =
      confidence !== undefined && h("small", {}, `  ${formatPercent(confidence, 0)} sure`);
    const wrong = study.isLabeled(point) && prediction !== label;
    const mark = wrong && h("strong", { class: "wrong" }, "  wrong");
    fact("Predicted", h("span", {}, className(ctx, prediction), mark, sure));
  }
  const hit = study.hits(place)?.[point];
  const mapHit = study.mapHits(place)?.[point];
  if (hit !== undefined && study.isLabeled(point)) fact("NH", formatPercent(hit, 0));
  if (mapHit !== undefined && study.isLabeled(point)) fact("NH on map", formatPercent(mapHit, 0));
  fact("Sample", `#${study.sampleOf(point)}`);
  for (const column of study.columns.slice(0, columns))
    facts.append(
      h(
        "div",
        { class: "of-column" },
        h("dt", { dir: "auto" }, shorten(column.name, SHORT)),
        h("dd", {}, bdi(shorten(column.words(point), VALUE))),
      ),
    );
  return h(
    "div",
    { class: "point-card" },
    sprites?.thumb(point, side),
    h(
      "div",
      {},
      snippet && h("p", { class: "snippet", dir: "auto" }, shorten(snippet, SNIPPET)),
      facts,
    ),
  );
}

/** A class's name with a dot of its color. */
export function className({ study, fleeting }: Context, index: number): HTMLElement {
  const color = labelColors(study.classNames.length, fleeting.get().dark)[index];
  const dot = h("i", { class: "dot" });
  dot.style.background = color ?? "";
  return h("span", { class: "class-name" }, dot, bdi(study.labelNames[index] ?? `class ${index}`));
}
