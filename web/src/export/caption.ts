import { formatCount, formatNumber, measureTitle } from "../data/format.ts";
import type { Place, Study } from "../data/study.ts";
import { placeName } from "../components/places.ts";
import { type ViewState, scoreOf } from "../state/view-state.ts";

/** What the caption of a picture of maps should say: what they are of, n, k, KL divergence and seed. */
export function captionOf(study: Study, state: ViewState): string {
  const places: Place[] = state.other ? [state, state.other] : [state];
  const sentences = [
    `${study.payload.title}: ${places.length > 1 ? "maps" : "map"} of ${samples(study, state)}`,
    ...places.map((place) => ofPlace(study, state, place)),
  ];
  return sentences.map((sentence) => `${sentence}.`).join(" ");
}

/** A setting of a model's study as it is listed, or nothing. */
function setting({ payload }: Study, model: string, key: string): string | null {
  const found = payload.settings[key] ?? payload.settings[`${model}: ${key}`];
  return found === undefined || found === "none" ? null : String(found);
}

function samples(study: Study, { only, onlyBy, classes, selection }: ViewState): string {
  const some = /^[\d,]+ of [\d,]+/.exec(setting(study, "", "samples shown") ?? "")?.[0];
  const parts = [`${some ?? formatCount(study.n)} samples`];
  if (study.drawn) parts.push(`${formatCount(study.drawn.length)} of them as dots`);
  if (only.length)
    parts.push(`${formatCount(only.length)} of them shown${onlyBy ? ` (${onlyBy})` : ""}`);
  if (classes) parts.push(`only ${classes.map((i) => study.labelNames[i] ?? "").join(", ")}`);
  if (selection.length) parts.push(`${formatCount(selection.length)} selected, the others faint`);
  return parts.join("; ");
}

/** Of one map: how it was made, and the first measure that is shown. */
function ofPlace(study: Study, state: ViewState, place: Place): string {
  const { klDivergence } = study.layer(place);
  const model = study.model(place.model).name;
  const of = (key: string) => setting(study, model, key);
  const parts: string[] = [];
  const own = study.mapBy ? study.payload.maps?.[study.mapBy]?.name : undefined;
  if (own !== undefined) parts.push(own);
  else if (klDivergence !== null) {
    parts.push(`t-SNE, KL divergence ${klDivergence.toFixed(3)}`);
    for (const [key, words] of [
      ["perplexity", "perplexity"],
      ["random_state", "seed"],
    ] as const) {
      const value = of(key);
      if (value !== null) parts.push(`${words} ${value}`);
    }
  }
  const [name] = state.measures;
  const measure = name === undefined ? undefined : study.measure(name);
  const score = measure && scoreOf(study, place, measure.name);
  if (measure && typeof score?.value === "number") {
    const details: string[] = [];
    if (score.interval) details.push(`95 % ${score.interval.map(formatNumber).join(" to ")}`);
    const k = measure.family === "neighborhood" ? of("k") : null;
    if (k !== null) details.push(`k = ${k}`);
    const more = details.length ? ` (${details.join(", ")})` : "";
    const title = measureTitle(measure, study.payload.measures);
    parts.push(`${title} ${formatNumber(score.value)}${more}`);
  }
  return [placeName(study, place), parts.join(", ")].filter(Boolean).join(": ");
}
