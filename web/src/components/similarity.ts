import { type Context, change, deferred } from "../context.ts";
import { ownLayer } from "../data/follow.ts";
import { formatCount, formatNumber, formatPercent, sentence } from "../data/format.ts";
import { valueColors } from "../data/palette.ts";
import { type SimilarityTable, similarityTables } from "../data/similarity.ts";
import type { Place } from "../data/study.ts";
import { bdi, freshId, h, press } from "../dom.ts";
import type { ViewState } from "../state/view-state.ts";
import { type Cell, matrixPicture } from "./matrix.ts";
import { epochWords } from "./places.ts";

type Moment = Pick<Place, "model" | "epoch">;

const TITLES: Record<SimilarityTable["measure"], string> = {
  linear_cka: "Linear CKA",
  shared_neighbors: "Neighbors in common",
};
const SHADES = 65;
const DIRECTIONS =
  "Point at a cell to read it. Click it to see both maps side by side; on the diagonal, or on a name, one alone.";
/** Steps of the scale of colors. */
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** How alike the layers are to each other: within a model, or between two. */
export function similarity(ctx: Context): HTMLElement {
  const { study, store } = ctx;
  const id = freshId("similar");
  const where = h("p", { class: "hint", dir: "auto", "data-testid": "similar-place" });
  const missing = h("p", { class: "hint", "data-testid": "similar-missing" });
  const readout = h("p", { class: "hint read-cell", "data-testid": "similar-readout" }, DIRECTIONS);
  const pictures = h("div", { class: "matrices" });
  const bar = h("div", { class: "heat-scale", "data-testid": "similar-scale" }, ...scale());
  let between: boolean | null = null;
  const sides = ([false, true] as const).map((other) =>
    h(
      "button",
      {
        type: "button",
        "data-testid": other ? "similar-between" : "similar-within",
        onclick: () => {
          between = other;
          draw();
        },
      },
      other ? "between models" : "within a model",
    ),
  );
  const choice = h(
    "div",
    { class: "segmented", role: "group", "aria-label": "Layers that are compared" },
    ...sides,
  );
  const element = h(
    "section",
    { class: "similar", "aria-labelledby": id, "data-testid": "similar" },
    h("div", { class: "title-row" }, h("h2", { id }, "How alike the layers are"), choice),
    where,
    pictures,
    missing,
    h("div", { class: "similar-foot" }, bar, readout),
  );
  const { tables: all, notes } = study.payload.similarities ?? { tables: [], notes: [] };
  let drawn = "";
  let marks: ((state: ViewState) => void)[] = [];
  const draw = () => {
    const state = store.get();
    const isBetween = between ?? (state.other !== null && state.other.model !== state.model);
    const [rows, columns] = momentsOf(ctx, state, isBetween);
    sides.forEach((button, i) => press(button, (i === 1) === isBetween));
    const key = JSON.stringify([rows, columns]);
    if (key !== drawn) {
      drawn = key;
      show(isBetween, [rows, columns]);
    }
    for (const mark of marks) mark(state);
  };
  const show = (isBetween: boolean, moments: [Moment, Moment]) => {
    const [rows, columns] = moments;
    const tables = similarityTables(study, rows, columns);
    const whose = (moment: Moment) =>
      [study.model(moment.model).name, ...epochWords(study, moment)].join(", ");
    const there = isBetween ? `; columns: ${whose(columns)}` : "";
    const named = study.models.length > 1 || study.epochs(rows.model) > 0;
    where.textContent = named ? `${isBetween ? "Rows: " : ""}${whose(rows)}${there}.` : "";
    where.hidden = !named;
    bar.hidden = readout.hidden = !tables.length;
    const said = [...(tables.length ? [] : ["nothing is known of these layers"]), ...notes];
    missing.textContent = said.map(sentence).join(" ");
    missing.hidden = !said.length;
    const read = (cell: Cell | null, table: SimilarityTable) => {
      readout.replaceChildren(
        ...(cell ? reading(ctx, tables, table, cell, moments) : [DIRECTIONS]),
      );
      if (cell && pictures.contains(document.activeElement))
        ctx.announce(readout.textContent ?? "");
    };
    const figures = tables.map((table) => figure(ctx, table, moments, read));
    marks = figures.map(({ mark }) => mark);
    pictures.replaceChildren(...figures.map(({ element: each }) => each));
  };
  choice.hidden = study.models.length < 2;
  element.hidden = !all.length;
  const later = deferred(ctx, draw);
  ctx.onDestroy(store.watch(["model", "epoch", "layer", "other"], later));
  return element;
}

/** Whose layers are rows and columns; two models are compared at the end of their training. */
function momentsOf(ctx: Context, state: ViewState, between: boolean): [Moment, Moment] {
  const { model, epoch, other } = state;
  const within = { model, epoch };
  if (!between) return [within, within];
  const second = other && other.model !== model ? other.model : model === 0 ? 1 : 0;
  const end = (of: number): Moment => {
    const epochs = ctx.study.epochs(of);
    return { model: of, epoch: epochs ? epochs - 1 : null };
  };
  return [end(model), end(second)];
}

function figure(
  ctx: Context,
  table: SimilarityTable,
  [rows, columns]: [Moment, Moment],
  read: (cell: Cell | null, table: SimilarityTable) => void,
): { element: HTMLElement; mark: (state: ViewState) => void } {
  const { study } = ctx;
  const layer = (places: number[], at: number) => places[at] ?? 0;
  const names = (moment: Moment, places: number[]) =>
    places.map((at) => study.shortNames(moment.model).names[at] ?? "");
  const within = rows.model === columns.model && rows.epoch === columns.epoch;
  const show = (place: Place, other: Place | null) => {
    ctx.fleeting.set({ playing: null });
    change(ctx, { ...place, other });
    ctx.reveal(null);
  };
  const title = TITLES[table.measure];
  const place = (places: number[], shown: Place | null, { model }: Moment): number | null => {
    const at = shown?.model === model ? places.indexOf(ownLayer(study, shown)) : -1;
    return at < 0 ? null : at;
  };
  const picture = matrixPicture({
    id: `similar-${table.measure}`,
    label: `${title} of ${table.rows.length} by ${table.columns.length} layers: arrow keys go over the cells, Enter shows both maps side by side`,
    rows: names(rows, table.rows),
    columns: names(columns, table.columns),
    value: (i, j) => table.at(i, j),
    colors: valueColors(SHADES),
    point: (cell) => read(cell, table),
    open: ([i, j]) =>
      show(
        { ...rows, layer: layer(table.rows, i) },
        within && i === j ? null : { ...columns, layer: layer(table.columns, j) },
      ),
    openRow: (i) => show({ ...rows, layer: layer(table.rows, i) }, null),
    openColumn: (j) => show({ ...columns, layer: layer(table.columns, j) }, null),
  });
  const of = `of ${formatCount(table.samples)} samples`;
  const share = table.k === null ? "" : `of the ${table.k} nearest, `;
  const chance =
    table.chance === null
      ? ""
      : `; ${table.chance ? Number(table.chance.toPrecision(2)) : 0} by chance`;
  const element = h(
    "figure",
    {},
    h("figcaption", {}, h("b", {}, title), h("small", {}, ` ${share}${of}${chance}`)),
    picture.element as unknown as HTMLElement,
  );
  const mark = (state: ViewState) =>
    picture.mark(place(table.rows, state, rows), place(table.columns, state.other, columns));
  return { element, mark };
}

/** "conv1 and fc1: linear CKA 0.43; 12 % of their neighbors in common." */
function reading(
  { study }: Context,
  tables: SimilarityTable[],
  table: SimilarityTable,
  [row, column]: Cell,
  [rows, columns]: [Moment, Moment],
): Node[] {
  const layers = [table.rows[row] ?? 0, table.columns[column] ?? 0] as const;
  const name = ({ model }: Moment, layer: number) =>
    h("b", {}, bdi(study.listed({ model, layer }).name));
  const parts = tables.flatMap((each) => {
    const [i, j] = [each.rows.indexOf(layers[0]), each.columns.indexOf(layers[1])];
    const value = i < 0 || j < 0 ? null : each.at(i, j);
    if (each.measure === "linear_cka")
      return [value === null ? "linear CKA is not defined" : `linear CKA ${formatNumber(value)}`];
    return value === null ? [] : [`${formatPercent(value)} of the neighbors in common`];
  });
  const words = `: ${parts.join("; ")}.`;
  return [h("span", {}, name(rows, layers[0]), " and ", name(columns, layers[1]), words)];
}

/** What the colors mean, the same in all tables. */
function scale(): HTMLElement[] {
  const band = h("div", { class: "band" });
  band.style.background = `linear-gradient(to right, ${valueColors(9).join(", ")})`;
  const ticks = TICKS.map((value) => {
    const tick = h("span", {}, String(value));
    tick.style.left = `${100 * value}%`;
    return tick;
  });
  const body = h(
    "div",
    { class: "scale-body" },
    band,
    h("div", { class: "scale-ticks" }, ...ticks),
  );
  return [
    h("span", { class: "hint" }, "One scale for all tables: 0 nothing alike, 1 the same"),
    body,
  ];
}
