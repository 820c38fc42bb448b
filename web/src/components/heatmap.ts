import { type Context, change, deferred } from "../context.ts";
import type { Confusion, Pair } from "../data/confusion.ts";
import { formatCount, formatPercent, shorten, shortenMiddle } from "../data/format.ts";
import { heatColor, inkOn } from "../data/palette.ts";
import { bdi, freshId, h, s } from "../dom.ts";
import { textWidth } from "../map/names.ts";
import { hereWords, placeName } from "./places.ts";
import type { ViewState } from "../state/view-state.ts";

/** With more classes than this only the most tangled ones have a row and a column. */
const MOST = 100;
/** Up to so many classes, the cells say their percentages. */
const WORDS = 12;
const PAIRS = 8;
/** Characters of a name in the list of pairs. */
const NAME = 16;
/** Of many cells, those with less than this strength are left to the ground they stand on. */
const FAINTEST = 0.08;
/** Of the scale: its width in pixels, the least room between its numbers, and what they can be. */
const SCALE = 200;
const APART = 38;
const ROUND = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
/** How many strengths of color many cells have. */
const STRENGTHS = 32;
const CELL = 30;
/** Pixels of the names of rows and columns: their size, and their room. */
const NAME_SIZE = 11;
const NAME_ROOM = 80;

/** Which classes have each other's points as neighbors; a click shows a pair alone. */
export function heatmap(ctx: Context): HTMLElement {
  const id = freshId("tangled");
  const picture = h("div", { class: "heat", "data-testid": "heatmap" });
  const list = h("ol", { class: "pairs", "data-testid": "pairs" });
  const bar = h("div", { class: "heat-scale", "data-testid": "heat-scale" });
  const readout = h("p", { class: "hint readout" }, DIRECTIONS);
  const missing = h("p", { class: "hint", hidden: true });
  const where = h("p", { class: "hint", dir: "auto", "data-testid": "tangled-place" });
  const element = h(
    "section",
    { class: "tangled", "aria-labelledby": id, hidden: ctx.study.values !== null },
    h("h2", { id }, "Which classes are tangled"),
    where,
    missing,
    h(
      "div",
      { class: "tangled-body" },
      h("div", {}, picture, bar, readout),
      h("div", {}, h("h3", {}, "Most tangled pairs"), list),
    ),
  );
  const alone = ctx.study.classNames.length < 2;
  missing.textContent = "There is only one class.";
  /** Row and column at which the arrow keys are. */
  const cursor: [number, number] = [0, 0];
  const draw = () => {
    const state = ctx.store.get();
    const confusion = alone ? null : ctx.study.confusion(state);
    const most = ctx.study.classNames.length > MOST ? mostWords(ctx.study.classNames.length) : "";
    where.textContent = alone || !confusion ? "" : `At ${placeName(ctx.study, state)}.${most}`;
    if (!alone)
      missing.textContent = `Neighbors of classes are not measured ${hereWords(ctx.study, state)}.`;
    element.classList.toggle("empty", !confusion);
    missing.hidden = confusion !== null;
    if (!confusion) return;
    const visited = picture.contains(picture.ownerDocument.activeElement);
    const drawn = table(ctx, confusion, state, readout, cursor);
    picture.replaceChildren(drawn);
    bar.replaceChildren(...scale(ctx.study.greatestConfusion, ctx.fleeting.get().dark));
    if (visited) drawn.focus({ preventScroll: true });
    const focused = document.activeElement?.getAttribute("data-testid");
    list.replaceChildren(...confusion.worstPairs(PAIRS).map((pair) => item(ctx, pair, state)));
    if (focused?.startsWith("pair-")) {
      list.querySelector<HTMLElement>(`[data-testid="${focused}"]`)?.focus({ preventScroll: true });
    }
  };
  const later = deferred(ctx, draw);
  ctx.onDestroy(ctx.store.watch(["model", "layer", "epoch", "classes"], later));
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && later()));
  return element;
}

/** That not all classes have a row. */
function mostWords(classes: number): string {
  return ` The ${MOST} most tangled of ${formatCount(classes)} classes; the pairs are of all.`;
}

const DIRECTIONS =
  "Rows: a class; columns: of which class its neighbors are. Click a cell to see the pair alone.";

/** Steps of the arrow keys over the cells, down and to the right. */
const STEPS: Record<string, [number, number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

function table(
  ctx: Context,
  confusion: Confusion,
  state: ViewState,
  readout: HTMLElement,
  cursor: [number, number],
): SVGElement {
  const rows = confusion.mostTangled(MOST);
  const names = ctx.study.classNames;
  const many = rows.length > WORDS;
  const cell = many ? Math.max(5, Math.min(18, 480 / rows.length)) : CELL;
  const named = cell >= 11;
  const gap = many ? (cell > 8 ? 1 : 0) : 2;
  const widthOf = (text: string) => textWidth(text, NAME_SIZE, 400);
  const short = rows.map((i) => (named ? shortenMiddle(names[i] ?? "", NAME_ROOM, widthOf) : ""));
  const longest = Math.max(...short.map(widthOf));
  const margin = named ? 12 + longest : 6;
  const side = margin + rows.length * cell;
  const { dark } = ctx.fleeting.get();
  const most = ctx.study.greatestConfusion;
  const chosen = new Set(state.classes ?? []);
  const svg = s("svg", {
    viewBox: `0 0 ${side} ${side}`,
    class: "heat-svg",
    role: "application",
    tabindex: "0",
    "aria-roledescription": "table of colors",
    "aria-label": `Confusion of neighbors of ${rows.length} classes: arrow keys go over the cells, Enter shows a pair alone; the most tangled pairs are listed beside it`,
  });
  if (many) {
    const length = rows.length * cell;
    svg.append(s("rect", { class: "cells", x: margin, y: margin, width: length, height: length }));
  }
  svg.style.maxWidth = `${Math.round(side * 1.25)}px`;
  const place = (index: number) => margin + index * cell;
  const isOn = (i: number, j: number) =>
    chosen.has(i) && chosen.has(j) && (i !== j || chosen.size === 1);
  const look: Look = { cell, gap, place, isOn, dark, most };
  svg.append(...(many ? manyCells(confusion, rows, look) : fewCells(confusion, rows, look)));
  if (named) svg.append(...headings(short, longest, look, margin));
  const target = (event: MouseEvent): [number, number] | null => {
    const box = svg.getBoundingClientRect();
    const index = (offset: number) =>
      rows[Math.floor((offset * (side / box.width) - margin) / cell)];
    const [row, column] = [index(event.clientY - box.top), index(event.clientX - box.left)];
    return row === undefined || column === undefined ? null : [row, column];
  };
  svg.addEventListener("click", (event) => {
    const pair = target(event);
    if (pair) toggle(ctx, pair);
  });
  svg.addEventListener("pointermove", (event) => {
    const pair = target(event);
    if (pair) readout.replaceChildren(...sentence(ctx, confusion, pair));
  });
  svg.addEventListener("pointerleave", () => readout.replaceChildren(DIRECTIONS));
  const ring = s("rect", {
    class: "cursor",
    width: cell - gap,
    height: cell - gap,
    rx: many ? 0 : 3,
  });
  const visit = () => {
    const [row, column] = cursor;
    const pair: [number, number] = [rows[row] ?? 0, rows[column] ?? 0];
    ring.setAttribute("x", String(margin + column * cell));
    ring.setAttribute("y", String(margin + row * cell));
    svg.append(ring);
    const words = sentence(ctx, confusion, pair);
    readout.replaceChildren(...words);
    ctx.announce(words.map((word) => word.textContent).join(""));
  };
  const within = (place: number) => Math.min(rows.length - 1, Math.max(0, place));
  const move = (row: number, column: number) => cursor.splice(0, 2, within(row), within(column));
  move(...cursor);
  svg.addEventListener("focus", () => svg.matches(":focus-visible") && visit());
  svg.addEventListener("blur", () => {
    ring.remove();
    readout.replaceChildren(DIRECTIONS);
  });
  svg.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (step) {
      move(cursor[0] + step[0], cursor[1] + step[1]);
      visit();
    } else if (event.key === "Enter" || event.key === " ") {
      toggle(ctx, [rows[cursor[0]] ?? 0, rows[cursor[1]] ?? 0]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return svg;
}

/** How the cells of a table are drawn. */
interface Look {
  cell: number;
  gap: number;
  /** The left edge of a column, or the upper one of a row. */
  place(index: number): number;
  isOn(i: number, j: number): boolean;
  dark: boolean;
  most: number;
}

/** Cells that say their percentages. */
function fewCells(confusion: Confusion, rows: number[], look: Look): SVGElement[] {
  const { cell, gap, place, isOn, dark, most } = look;
  const found: SVGElement[] = [];
  rows.forEach((i, row) => {
    rows.forEach((j, column) => {
      const share = confusion.at(i, j);
      const own = i === j;
      const rect = s("rect", {
        x: place(column),
        y: place(row),
        width: cell - gap,
        height: cell - gap,
        rx: 3,
        class: `${own ? "own" : "cell"}${isOn(i, j) ? " on" : ""}`,
        "data-testid": `cell-${i}-${j}`,
      });
      const fill = heatColor(own ? 0 : strengthOf(share, most), dark);
      if (!own) rect.style.fill = fill;
      found.push(rect);
      if (!own && share < 0.0005) return;
      const middle = (cell - gap) / 2;
      const kind = own ? "own-text" : "cell-text";
      const text = s(
        "text",
        { x: place(column) + middle, y: place(row) + middle, class: kind },
        percent(share),
      );
      if (!own) text.style.fill = inkOn(fill);
      found.push(text);
    });
  });
  return found;
}

/** Many cells as one outline for each of some strengths, which takes a tenth of the time. */
function manyCells(confusion: Confusion, rows: number[], look: Look): SVGElement[] {
  const { cell, gap, place, isOn, dark, most } = look;
  const at = new Map(rows.map((index, row) => [index, row]));
  const paths = new Array<string>(STRENGTHS + 1).fill("");
  const side = cell - gap;
  const box = (row: number, column: number) =>
    `M${round(place(column))} ${round(place(row))}h${side}v${side}h${-side}z`;
  confusion.each((i, j, share) => {
    const [row, column] = [at.get(i), at.get(j)];
    if (row === undefined || column === undefined || i === j) return;
    const strength = strengthOf(share, most);
    if (strength < FAINTEST) return;
    const level = Math.round(strength * STRENGTHS);
    paths[level] = (paths[level] as string) + box(row, column);
  });
  const cells = paths.flatMap((d, level) => {
    if (!d) return [];
    const path = s("path", { d, class: "cell" });
    path.style.fill = heatColor(level / STRENGTHS, dark);
    return [path];
  });
  const own = s("path", { class: "own", d: rows.map((_, row) => box(row, row)).join("") });
  const on = rows.flatMap((i, row) =>
    rows.flatMap((j, column) => (isOn(i, j) ? [box(row, column)] : [])),
  );
  return [...cells, own, ...(on.length ? [s("path", { class: "on", d: on.join("") })] : [])];
}

function headings(short: string[], longest: number, look: Look, margin: number): SVGElement[] {
  const { cell, gap, place } = look;
  return short.flatMap((name, row) => {
    const along = place(row) + (cell - gap) / 2;
    const turned = longest > cell - gap - 4 ? `rotate(-90 ${along} ${margin - 6})` : null;
    const kind = turned ? "column-name turned" : "column-name";
    return [
      s("text", { x: margin - 6, y: along, class: "row-name" }, name),
      s("text", { x: along, y: margin - 6, class: kind, transform: turned }, name),
    ];
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** How strong the color of a share is: its root, so that small shares are told apart too. */
export function strengthOf(share: number, greatest: number): number {
  return greatest > 0 ? Math.sqrt(Math.min(1, share / greatest)) : 0;
}

/** Shares on the scale of the colors: round ones as far apart as their numbers need, and the greatest. */
export function scaleTicks(greatest: number): number[] {
  const place = (share: number) => SCALE * strengthOf(share, greatest);
  const ticks = [greatest];
  for (const share of ROUND.filter((value) => value < greatest).reverse()) {
    if (place(ticks[0] as number) - place(share) >= APART && place(share) >= APART)
      ticks.unshift(share);
  }
  return greatest > 0 ? [0, ...ticks] : [0];
}

/** What the colors mean, the same at every layer and epoch. */
function scale(greatest: number, dark: boolean): HTMLElement[] {
  const band = h("div", { class: "band" });
  band.style.background = `linear-gradient(to right, ${heatColor(0, dark)}, ${heatColor(1, dark)})`;
  const ticks = scaleTicks(greatest).map((share) => {
    const tick = h("span", {}, share === 0 ? "0" : `${percent(share)}\u00a0%`);
    tick.style.left = `${100 * strengthOf(share, greatest)}%`;
    return tick;
  });
  const body = h(
    "div",
    { class: "scale-body" },
    band,
    h("div", { class: "scale-ticks" }, ...ticks),
  );
  body.style.width = `${SCALE}px`;
  return [h("span", { class: "hint" }, "Share of neighbors, one scale for all layers"), body];
}

function sentence({ study }: Context, confusion: Confusion, [i, j]: [number, number]): Node[] {
  const name = (index: number) => h("b", {}, bdi(study.classNames[index] ?? ""));
  const share = formatPercent(confusion.at(i, j));
  if (i === j)
    return [h("span", {}, `${share} of the neighbors of `, name(i), " are of its own class.")];
  return [h("span", {}, `${share} of the neighbors of `, name(i), " are of class ", name(j), ".")];
}

function item(ctx: Context, { a, b, share }: Pair, state: ViewState): HTMLElement {
  const { classNames } = ctx.study;
  const pressed =
    state.classes?.length === 2 && state.classes.includes(a) && state.classes.includes(b);
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        "aria-pressed": String(pressed),
        "data-testid": `pair-${a}-${b}`,
        onclick: () => toggle(ctx, [a, b]),
      },
      h(
        "span",
        {},
        bdi(shorten(classNames[a] ?? "", NAME)),
        " – ",
        bdi(shorten(classNames[b] ?? "", NAME)),
      ),
      h("span", { class: "count" }, formatPercent(share)),
    ),
  );
}

/** Show these classes alone, or all again if they were. */
function toggle(ctx: Context, [a, b]: [number, number]): void {
  const wanted = [...new Set([a, b])].sort((x, y) => x - y);
  const now = ctx.store.get().classes;
  const already = now?.length === wanted.length && wanted.every((i) => now.includes(i));
  change(ctx, { classes: already ? null : wanted });
  if (!already) ctx.reveal(null);
}

/** Short enough for a cell: "<.1", "4.1", "98". */
function percent(share: number): string {
  const value = 100 * share;
  return value >= 9.95 ? value.toFixed(0) : value.toFixed(1);
}
