import type { Context } from "../context.ts";
import { toCsv } from "../data/csv.ts";
import type { Place, Study } from "../data/study.ts";
import { fileName } from "./file-name.ts";
import { download } from "../dom.ts";

/** The selected samples as a table: what they are, and where they lie at this layer. */
export function selectionCsv(study: Study, place: Place, selection: number[]): string {
  const names = study.classNames;
  const epoch = place.epoch === null ? null : study.epochName(place.model, place.epoch);
  const predictions = study.predictions(place);
  const confidence = study.confidence(place);
  const hits = study.hits(place);
  const map = study.coords(place);
  const snippets = study.payload.snippets;
  const header = ["sample", ...(study.values ? ["value"] : ["label", "class"])];
  if (predictions) header.push("prediction", "predicted_class");
  if (confidence) header.push("confidence");
  header.push("model", "layer");
  if (epoch !== null) header.push("epoch");
  if (hits) header.push("neighborhood_hit");
  if (map) header.push("x", "y");
  if (snippets) header.push("snippet");
  for (const { name } of study.columns)
    header.push(header.includes(name) ? `metadata: ${name}` : name);
  const rows = selection.map((i) => {
    const label = study.labels[i] as number;
    const known = study.isLabeled(i);
    const row: (string | number)[] = [study.sampleOf(i)];
    if (study.values) row.push(known ? round(study.values[i] as number) : "");
    else row.push(known ? label : "", known ? (names[label] ?? "") : "");
    const predicted = predictions?.[i];
    if (predicted !== undefined) row.push(predicted, names[predicted] ?? "");
    if (confidence) row.push(share(confidence[i] as number));
    row.push(study.model(place.model).name, study.listed(place).name);
    if (epoch !== null) row.push(epoch);
    if (hits) row.push(known ? share(hits[i] as number) : "");
    if (map) {
      row.push(
        fixed((map.x[i] as number) / map.scale + map.center[0], map.scale),
        fixed((map.y[i] as number) / map.scale + map.center[1], map.scale),
      );
    }
    if (snippets) row.push(snippets[i] ?? "");
    for (const column of study.columns) row.push(column.cell(i));
    return row;
  });
  return toCsv(header, rows);
}

/** Coordinates have 16 bits over their span: digits beyond that are noise. */
function fixed(value: number, scale: number): number {
  const digits = Math.min(15, Math.max(0, Math.round(5 + Math.log10(scale))));
  // Adding zero makes -0 a plain 0.
  return Number(value.toFixed(digits)) + 0;
}

/** Shares have 255 steps: digits beyond the third are noise. */
function share(value: number): number {
  return Number(value.toFixed(3));
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}

export function saveCsv(ctx: Context): void {
  const { study, store } = ctx;
  const state = store.get();
  const text = selectionCsv(study, state, state.selection);
  // The mark tells spreadsheets that the text is UTF-8.
  download(fileName(ctx, "csv", "selection"), new Blob(["\ufeff", text], { type: "text/csv" }));
}
