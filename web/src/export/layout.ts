import type { Scene } from "./scene.ts";

export const PAD = 24;
export const HEAD = 64;
export const ROW = 20;
/** Width of one column of the legend. */
export const COLUMN = 190;
/** Opacity of the inside of a shape. */
export const FILL = 0.06;
/** Width of the legend's lines with what they mean. */
const LINE = 250;

export interface Layout {
  width: number;
  height: number;
  /** Left edge of each panel. */
  lefts: number[];
  top: number;
  legendLeft: number;
  /** How far down the legend its lines begin. */
  lineTop: number;
  /** Entries in one column of the legend. */
  rows: number;
}

/** Where the parts of a picture stand: the maps side by side, the legend at their right. */
export function layoutOf(scene: Scene): Layout {
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
    lineTop: ROW * (1.5 + Math.min(rows, entries.length)) + 14,
    rows,
  };
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
