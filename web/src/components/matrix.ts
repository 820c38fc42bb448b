import { shortenMiddle } from "../data/format.ts";
import { type Block, blocksOf } from "../data/names.ts";
import { inkOn } from "../data/palette.ts";
import { h, s } from "../dom.ts";
import { textWidth } from "../map/names.ts";

/** Rows and columns by their places. */
export type Cell = [row: number, column: number];

/** A picture of a table of numbers from 0 to 1, whose rows and columns have names. */
export interface Matrix {
  id: string;
  /** What a listener is told that it is. */
  label: string;
  rows: string[];
  columns: string[];
  value(row: number, column: number): number | null;
  /** From 0 to 1 in equal steps. */
  colors: string[];
  point(cell: Cell | null): void;
  open(cell: Cell): void;
  openRow(row: number): void;
  openColumn(column: number): void;
}

/** Pixels of a picture's cells altogether, of one, and of one that is large enough for a number. */
const SIDE = 420;
const LARGEST = 40;
const WORDED = 26;
/** Pixels of names: their size, their room, and the least from one to the next. */
const NAME = 11;
const ROOM = 96;
const APART = 12;
const GAP = 5;

const STEPS: Record<string, Cell> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** A name beside the cells, at the middle of its row or column. */
export interface Mark {
  text: string;
  at: number;
}

/** The names that have room beside cells: all, or those of blocks, or some. */
export function marksOf(names: string[], cell: number): Mark[] {
  const middle = (start: number, end: number) => ((start + end) / 2) * cell;
  if (cell >= APART) return names.map((text, i) => ({ text, at: middle(i, i + 1) }));
  const blocks: Block[] = blocksOf(names);
  const wanted = blocks.length
    ? blocks.map(({ name, start, end }) => ({ text: name, at: middle(start, end) }))
    : names.map((text, i) => ({ text, at: middle(i, i + 1) }));
  const kept: Mark[] = [];
  for (const mark of wanted) {
    const last = kept.at(-1);
    if (!last || mark.at - last.at >= APART) kept.push(mark);
  }
  return kept;
}

export interface MatrixPicture {
  element: SVGSVGElement;
  /** Mark what is shown on the maps: a row and a column, or none. */
  mark(row: number | null, column: number | null): void;
}

/** Draw it; the pointer and the arrow keys go over its cells. */
export function matrixPicture(matrix: Matrix): MatrixPicture {
  const { rows, columns } = matrix;
  const cell = Math.min(LARGEST, SIDE / Math.max(rows.length, columns.length));
  const [width, height] = [cell * columns.length, cell * rows.length];
  const widthOf = (text: string) => textWidth(text, NAME, 400);
  const cut = (marks: Mark[]) =>
    marks.map(({ text, at }) => ({ text: shortenMiddle(text, ROOM, widthOf), at }));
  const [side, head] = [cut(marksOf(rows, cell)), cut(marksOf(columns, cell))];
  const longest = (marks: Mark[]) => Math.max(0, ...marks.map(({ text }) => widthOf(text)));
  const left = longest(side) + 2 * GAP;
  const turned = longest(head) > cell - 4;
  const top = turned ? longest(head) + 2 * GAP : NAME + 2 * GAP;
  const [whole, tall] = [left + width + 1, top + height + 1];
  const svg = s("svg", {
    viewBox: `0 0 ${round(whole)} ${round(tall)}`,
    class: "matrix",
    role: "application",
    tabindex: "0",
    "aria-roledescription": "table of colors",
    "aria-label": matrix.label,
    "data-testid": matrix.id,
  });
  svg.style.maxWidth = `${Math.round(whole)}px`;
  svg.append(
    s("image", {
      href: pixels(matrix),
      x: left,
      y: top,
      width,
      height,
      preserveAspectRatio: "none",
    }),
    ...(cell >= WORDED ? numbers(matrix, cell, left, top) : []),
    ...side.map(({ text, at }) =>
      s("text", { x: left - GAP, y: top + at, class: "row-name" }, text),
    ),
    ...head.map(({ text, at }) => {
      const x = left + at;
      const kind = turned ? "column-name turned" : "column-name";
      const transform = turned ? `rotate(-90 ${round(x)} ${top - GAP})` : null;
      return s("text", { x, y: top - GAP, class: kind, transform }, text);
    }),
    s("rect", { class: "edge", x: left, y: top, width, height }),
  );
  const marks = s("g", {});
  svg.append(marks);
  listen(svg, matrix, { cell, left, top, whole });
  // A line of the ground beside one of the ink is seen on every color.
  const band = (x: number, y: number, wide: number, high: number) => {
    const box = { x, y, width: wide, height: high };
    return [s("rect", { class: "here halo", ...box }), s("rect", { class: "here", ...box })];
  };
  const mark = (row: number | null, column: number | null) =>
    marks.replaceChildren(
      ...(row === null ? [] : band(left, top + row * cell, width, cell)),
      ...(column === null ? [] : band(left + column * cell, top, cell, height)),
    );
  return { element: svg, mark };
}

interface Lie {
  cell: number;
  left: number;
  top: number;
  whole: number;
}

/** Numbers in the cells: two digits of each, as many have no more. */
function numbers(
  { rows, columns, value, colors }: Matrix,
  cell: number,
  left: number,
  top: number,
) {
  return rows.flatMap((_, row) =>
    columns.map((__, column) => {
      const found = value(row, column);
      const text = s(
        "text",
        { x: left + (column + 0.5) * cell, y: top + (row + 0.5) * cell, class: "cell-text" },
        found === null ? "–" : shortNumber(found),
      );
      if (found !== null) text.style.fill = inkOn(colorOf(found, colors));
      return text;
    }),
  );
}

/** ".43", "1". */
export function shortNumber(value: number): string {
  return value >= 0.995 ? "1" : value.toFixed(2).slice(1);
}

function colorOf(value: number, colors: string[]): string {
  return colors[Math.round(value * (colors.length - 1))] ?? "";
}

/** The cells as an image of a pixel each; those that are not known are left to the ground. */
function pixels({ rows, columns, value, colors }: Matrix): string {
  const canvas = h("canvas", { width: columns.length, height: rows.length });
  // It is read back at once, which would wait for the graphics processor.
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen) return "";
  rows.forEach((_, row) => {
    columns.forEach((__, column) => {
      const found = value(row, column);
      if (found === null) return;
      pen.fillStyle = colorOf(found, colors);
      pen.fillRect(column, row, 1, 1);
    });
  });
  return canvas.toDataURL();
}

function listen(svg: SVGSVGElement, matrix: Matrix, { cell, left, top, whole }: Lie): void {
  const { rows, columns } = matrix;
  const cursor: Cell = [0, 0];
  const ring = s("rect", { class: "cursor", width: cell, height: cell });
  /** Row and column under the pointer; -1 before the first. */
  const target = (event: MouseEvent): Cell => {
    const box = svg.getBoundingClientRect();
    const scale = whole / Math.max(1, box.width);
    const place = (offset: number, start: number, count: number) => {
      const at = Math.floor((offset * scale - start) / cell);
      return offset * scale < start ? -1 : Math.min(at, count - 1);
    };
    return [
      place(event.clientY - box.top, top, rows.length),
      place(event.clientX - box.left, left, columns.length),
    ];
  };
  svg.addEventListener("click", (event) => {
    const [row, column] = target(event);
    if (row >= 0 && column >= 0) matrix.open([row, column]);
    else if (row >= 0) matrix.openRow(row);
    else if (column >= 0) matrix.openColumn(column);
  });
  svg.addEventListener("pointermove", (event) => {
    const at = target(event);
    matrix.point(at[0] >= 0 && at[1] >= 0 ? at : null);
  });
  svg.addEventListener("pointerleave", () => matrix.point(null));
  const visit = () => {
    ring.setAttribute("x", String(left + cursor[1] * cell));
    ring.setAttribute("y", String(top + cursor[0] * cell));
    svg.append(ring);
    matrix.point(cursor);
  };
  const within = (at: number, count: number) => Math.min(count - 1, Math.max(0, at));
  svg.addEventListener("focus", () => svg.matches(":focus-visible") && visit());
  svg.addEventListener("blur", () => {
    ring.remove();
    matrix.point(null);
  });
  svg.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (step) {
      cursor[0] = within(cursor[0] + step[0], rows.length);
      cursor[1] = within(cursor[1] + step[1], columns.length);
      visit();
    } else if (event.key === "Enter" || event.key === " ") matrix.open(cursor);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
