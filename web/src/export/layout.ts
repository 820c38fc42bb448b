import { textWidth } from "../map/names.ts";
import type { Point } from "../data/payload.ts";
import type { Scene } from "./scene.ts";

export const PAD = 24;
export const HEAD = 64;
export const ROW = 20;
/** Width of one column of the legend. */
export const COLUMN = 190;
/** Opacity of the inside of a shape. */
export const FILL = 0.06;
/** Width of the legend's lines with what they mean. */
const LINE = 270;
/** Most entries of a legend beside the maps. */
const MOST = 40;

/** Of a picture for paper: above its maps, between them, and round the legend below. */
const PAPER_HEAD = 22;
export const PAPER_GAP = 16;
const PAPER_MOST = 24;

export interface Layout {
  width: number;
  height: number;
  /** Left edge of each panel. */
  lefts: number[];
  top: number;
  legendLeft: number;
  legendTop: number;
  /** How far down the legend its lines begin. */
  lineTop: number;
  /** Entries in one column of the legend. */
  rows: number;
  /** Width of such a column. */
  column: number;
}

/** Where the parts of a picture stand: the maps side by side, the legend at their right or below. */
export function layoutOf(scene: Scene): Layout {
  return scene.paper === null ? besides(scene) : below(scene);
}

function besides(scene: Scene): Layout {
  const lefts: number[] = [];
  let left = PAD;
  for (const { width } of scene.panels) {
    lefts.push(left);
    left += width + PAD;
  }
  const tallest = Math.max(...scene.panels.map(({ height }) => height));
  const { entries, lines } = scene.legend;
  const rows = Math.max(1, Math.floor((tallest - ROW * (2 + lines.length)) / ROW));
  const columns = Math.max(1, Math.ceil(entries.length / rows));
  const wide = Math.max(columns * COLUMN, lines.length ? LINE : 0);
  return {
    width: left + wide + PAD,
    height: HEAD + tallest + PAD,
    lefts,
    top: HEAD,
    legendLeft: left,
    legendTop: HEAD,
    lineTop: ROW * (1.5 + Math.min(rows, entries.length)) + 14,
    rows,
    column: COLUMN,
  };
}

/** As wide as the maps, which have the width of the paper, and the legend in even columns. */
function below(scene: Scene): Layout {
  const lefts: number[] = [];
  let left = 1;
  for (const { width } of scene.panels) {
    lefts.push(left);
    left += width + PAPER_GAP;
  }
  const width = left - PAPER_GAP + 1;
  const tallest = Math.max(...scene.panels.map(({ height }) => height));
  const { entries, lines } = scene.legend;
  const widest = Math.max(0, ...entries.map(({ label }) => textWidth(label, 13, 400)));
  const most = Math.max(1, Math.floor(width / Math.min(COLUMN, widest + 34)));
  const rows = Math.max(1, Math.ceil(entries.length / most));
  const column = Math.floor(width / Math.ceil(Math.max(1, entries.length) / rows));
  const lineTop = ROW * (1 + rows) + 14;
  return {
    width,
    height: PAPER_HEAD + tallest + 10 + ROW * (1 + rows + lines.length),
    lefts,
    top: PAPER_HEAD,
    legendLeft: 1,
    legendTop: PAPER_HEAD + tallest + 6,
    lineTop,
    rows,
    column,
  };
}

/** How many entries a legend may have, which is not to be wider or higher than the maps. */
export function mostEntries(paper: number | null): number {
  return paper === null ? MOST : PAPER_MOST;
}

/** Where an entry of the legend stands in it. */
export function entryAt({ rows, column }: Layout, index: number): Point {
  return [Math.floor(index / rows) * column, ROW * (1 + (index % rows)) + 14];
}

/** Where a line of the legend stands in it. */
export function lineAt({ lineTop }: Layout, index: number): { x: number; y: number } {
  return { x: 0, y: lineTop + index * ROW };
}

export function inks(dark: boolean): { ground: string; ink: string; muted: string } {
  return dark
    ? { ground: "#14171a", ink: "#e8eaed", muted: "#a3abb4" }
    : { ground: "#ffffff", ink: "#1c2024", muted: "#5c6670" };
}
