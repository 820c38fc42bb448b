import { toCsv } from "./csv.ts";
import type { Study } from "./study.ts";

/** What a person says of a label: that it is right, or which other it is; and words of their own. */
export interface Decision {
  /** The class that it is; its own where the label is right, null where nothing is said of it. */
  label: number | null;
  tag: string;
}

export type Decisions = Record<number, Decision>;

/** Longest tag, in characters. */
export const TAG = 80;

/** "17=3,20=1 blurred,31= unsure": the point, the class and the tag; as a link holds them. */
export function encodeDecisions(decisions: Decisions): string {
  return Object.entries(decisions)
    .map(([point, { label, tag }]) => {
      const words = tag ? ` ${encodeURIComponent(tag)}` : "";
      return `${point}=${label ?? ""}${words}`;
    })
    .join(",");
}

export function decodeDecisions(text: string): Decisions {
  const found: Decisions = {};
  for (const part of text.split(",")) {
    const match = /^(\d{1,9})=(\d{0,6})(?: (.*))?$/s.exec(part);
    if (!match) continue;
    let tag = "";
    try {
      tag = decodeURIComponent(match[3] ?? "");
    } catch {
      // A broken escape: without the tag.
    }
    found[Number(match[1])] = { label: match[2] ? Number(match[2]) : null, tag };
  }
  return found;
}

/** Decisions on points and classes that there are. */
export function settleDecisions(study: Study, wanted: Decisions): Decisions {
  const found: Decisions = {};
  for (const [key, { label, tag }] of Object.entries(wanted)) {
    const point = Number(key);
    if (!Number.isInteger(point) || point < 0 || point >= study.n) continue;
    const known = label !== null && label >= 0 && label < study.classNames.length ? label : null;
    const words = tag.slice(0, TAG);
    if (known !== null || words) found[point] = { label: known, tag: words };
  }
  return found;
}

/** A row for each decision, for `Study.apply_labels`. */
export function labelsCsv(study: Study, decisions: Decisions): string {
  const { classNames } = study;
  const rows = Object.entries(decisions).map(([key, { label, tag }]) => {
    const point = Number(key);
    const own = study.isLabeled(point) ? (study.labels[point] as number) : null;
    const says = label === null ? "" : label === own ? "right" : "relabel";
    const name = (code: number | null) => (code === null ? "" : (classNames[code] ?? ""));
    return [study.sampleOf(point), own ?? "", name(own), says, label ?? "", name(label), tag];
  });
  const header = ["sample", "label", "class", "decision", "new_label", "new_class", "tag"];
  return toCsv(header, rows);
}
