import type { Measure, Score } from "./payload.ts";
import type { Difference } from "./study.ts";

/** Whether a measure is a share, told as a percentage. */
export function isShare(measure: Measure | undefined): boolean {
  return measure?.range[1] === 1 && (measure.range[0] === 0 || measure.range[0] === -1);
}

/** Three digits that matter, whatever the size. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "n/a";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return minus(value.toExponential(2));
  if (size <= 1) return minus(value.toFixed(3));
  if (size < 9.995) return minus(value.toFixed(2));
  if (size < 1000) return minus(value.toFixed(1));
  return minus(formatCount(Math.round(value)));
}

/** "+0.060", "−1.2": how much more or less. */
export function formatDifference(value: number): string {
  return `${value > 0 ? "+" : ""}${formatNumber(value)}`;
}

export function formatPercent(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return "n/a";
  return `${minus((share * 100).toFixed(digits))}\u00a0%`;
}

const counts = new Intl.NumberFormat("en-US");

export function formatCount(count: number): string {
  return counts.format(count);
}

/** "5.3 MB". */
export function formatBytes(bytes: number): string {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** "0.983–0.987", or with "to" where a dash would be taken for a minus. */
export function formatInterval([low, high]: [number, number]): string {
  return `${formatNumber(low)}${low < 0 || high < 0 ? " to " : "–"}${formatNumber(high)}`;
}

/** An interval beside its score; the mark is explained by `GIVEN_MAP`. */
export function intervalOf(score: Pick<Score, "interval" | "givenMap">): string {
  return score.interval
    ? `${formatInterval(score.interval)}${score.givenMap ? "\u2009†" : ""}`
    : "";
}

export const GIVEN_MAP = "† given this map: other samples would have another map.";

/** "p < 0.001", "p = 0.031". */
export function formatP(p: number): string {
  return p < 0.001 ? "p\u00a0<\u00a00.001" : `p\u00a0=\u00a0${p < 1 ? p.toFixed(3) : "1"}`;
}

/** "+0.060, 95 % interval +0.040 to +0.080, p = 0.012 of 30 comparisons". */
export function describeDifference(change: number, found: Difference): string {
  const [low, high] = found.interval.map(formatDifference);
  const of = `${formatP(found.p)}, corrected for ${plural(found.count, "comparison", "comparisons")}`;
  return `${formatDifference(change)}, 95 % interval ${low} to ${high}, ${of}`;
}

/** "a", "a and b", "a, b and c". */
export function listOf(parts: string[]): string {
  const last = parts.at(-1) ?? "";
  return parts.length < 2 ? last : `${parts.slice(0, -1).join(", ")} and ${last}`;
}

/** "1 class", "2 classes". */
export function plural(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** "0.985, 95 % interval 0.983 to 0.987, chance 0.100, n 1,000", or "n/a: why". */
export function describeScore(score: Score | null): string {
  if (!score) return "n/a: not measured at this layer";
  if (score.value === null) return `n/a: ${score.reason ?? "no value"}`;
  const parts = [formatNumber(score.value)];
  if (score.interval) {
    const [low, high] = score.interval.map(formatNumber);
    const given = score.givenMap ? " given this map" : "";
    parts.push(`95 % interval ${low} to ${high}${given}`);
  }
  if (score.null !== null) parts.push(`chance ${formatNumber(score.null)}`);
  const n = sizeOf([score]);
  if (n) parts.push(n);
  return parts.join(", ");
}

/** From how many samples scores were computed: "n 1,000", or "n 500 to 1,000"; nothing if unknown. */
export function sizeOf(scores: (Score | null)[]): string {
  const sizes = scores.flatMap((score) => score?.nSamples ?? []);
  if (!sizes.length) return "";
  const ends = [...new Set([Math.min(...sizes), Math.max(...sizes)])];
  return `n ${ends.map(formatCount).join(" to ")}`;
}

/** "16 × 12 × 12". */
export function formatShape(shape: number[]): string {
  return shape.join(" × ");
}

/** A measure's title, with its space where another has the same title. */
export function measureTitle(measure: Measure, all: Measure[]): string {
  const title = capital(measure.title || measure.name);
  const shared = all.some((other) => other !== measure && other.title === measure.title);
  return shared && measure.space ? `${title}, ${spaceName(measure.space)}` : title;
}

function spaceName(space: string): string {
  return space === "map" ? "on the map" : space;
}

/** A note as a sentence. The name of a layer at its beginning stays as it is. */
export function sentence(note: string): string {
  const named = /^(?!the |no )(\S+:|.+? left out:)/.test(note);
  return `${named ? note : capital(note)}${/[.!?…]$/.test(note) ? "" : "."}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function minus(text: string): string {
  return text.replace("-", "\u2212");
}

/** A name with its middle left out where it is wider than the room: classes often differ at their ends. */
export function shortenMiddle(
  text: string,
  room: number,
  widthOf: (text: string) => number,
): string {
  if (widthOf(text) <= room) return text;
  const letters = graphemes(text);
  const cut = (kept: number) => {
    const head = Math.ceil(kept / 2);
    return `${letters.slice(0, head).join("").trimEnd()}…${letters
      .slice(letters.length - (kept - head))
      .join("")
      .trimStart()}`;
  };
  let [low, high] = [0, letters.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (widthOf(cut(middle)) <= room) low = middle;
    else high = middle - 1;
  }
  return cut(low);
}

/** What is read as one letter, such as an emoji of several parts. */
function graphemes(text: string): string[] {
  if (typeof Intl.Segmenter !== "function") return [...text];
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}

/** The beginning of a long name. */
export function shorten(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
}
