import { type Context, change, deferred } from "../context.ts";
import { formatCount, formatPercent, shorten } from "../data/format.ts";
import { ASKED, type Spot, keptBetween, spotsOf } from "../data/kept.ts";
import { ownLayer } from "../data/follow.ts";
import { inkOn, shareColors } from "../data/palette.ts";
import { bdi, freshId, h } from "../dom.ts";
import { epochWords } from "./places.ts";

/** So many layers have a row; of more, some from all over. */
const MOST = 16;
const NAME = 14;

/** Which share of the neighbors at one layer are neighbors at another: within a model, or of two. */
export function keptTable(ctx: Context): HTMLElement {
  const { study, store } = ctx;
  const id = freshId("kept");
  const hint = h("p", { class: "hint", dir: "auto" });
  const scroller = h("div", { class: "scroller", tabindex: "0", "aria-labelledby": id });
  const body = h("div", { "data-testid": "kept" }, hint, scroller);
  const element = h(
    "details",
    { class: "kept", "data-testid": "kept-place" },
    h("summary", {}, h("h2", { id }, "Neighbors kept between all layers")),
    body,
  );
  let drawn = "";
  const draw = () => {
    const { model, epoch, other } = store.get();
    const there = other && other.model !== model ? other : { model, epoch };
    const rows = some(spotsOf(study, { model, epoch }));
    const columns = some(spotsOf(study, there));
    element.hidden = rows.length < 2 && columns.length < 2;
    if (element.hidden || !element.open) return;
    const key = JSON.stringify([rows, columns, ctx.fleeting.get().dark]);
    if (key !== drawn) {
      drawn = key;
      const asked = study.n > ASKED ? `${formatCount(ASKED)} of ` : "";
      const whose = (spot: Spot | undefined) =>
        spot ? [study.model(spot.model).name, ...epochWords(study, spot)].join(", ") : "";
      hint.textContent =
        `Which share of a point’s stored neighbors in the row’s layer are neighbors in the ` +
        `column’s; the mean of ${asked}${formatCount(study.n)} points. ` +
        (there.model === model ? "" : `Rows: ${whose(rows[0])}; columns: ${whose(columns[0])}. `) +
        "Click a cell to see both maps.";
      scroller.replaceChildren(table(ctx, rows, columns));
    }
    mark();
  };
  const mark = () => {
    const state = store.get();
    for (const head of scroller.querySelectorAll<HTMLElement>("tbody th")) {
      const here = Number(head.dataset["layer"]) === ownLayer(study, state);
      head.classList.toggle("here", here);
    }
  };
  const later = deferred(ctx, draw);
  element.addEventListener("toggle", later);
  ctx.onDestroy(store.watch(["model", "epoch", "layer", "other"], later));
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && later()));
  return element;
}

/** At most so many, from the first to the last. */
function some(spots: Spot[]): Spot[] {
  if (spots.length <= MOST) return spots;
  return Array.from(
    { length: MOST },
    (_, i) => spots[Math.round((i * (spots.length - 1)) / (MOST - 1))] as Spot,
  );
}

function table(ctx: Context, rows: Spot[], columns: Spot[]): HTMLElement {
  const { study, fleeting } = ctx;
  const shares = keptBetween(study, rows, columns);
  const ramp = shareColors(fleeting.get().dark, 101).reverse();
  const name = ({ model, layer }: Spot) => study.shortNames(model).names[layer] ?? "";
  const head = columns.map((spot) =>
    h("th", { scope: "col", title: name(spot) }, bdi(shorten(name(spot), NAME))),
  );
  const body = rows.map((row, i) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row", title: name(row), "data-layer": row.layer },
        bdi(shorten(name(row), NAME)),
      ),
      ...columns.map((column, j) => {
        const share = shares[i]?.[j] ?? 0;
        // By the root, as the table of classes: small shares are told apart.
        const color = ramp[Math.round(100 * Math.sqrt(share))] ?? "";
        const cell = h(
          "td",
          {},
          h(
            "button",
            {
              type: "button",
              title: `${name(row)} and ${name(column)}: ${formatPercent(share)}`,
              "aria-label": `${name(row)} and ${name(column)}: ${formatPercent(share)} kept`,
              "data-testid": `kept-${i}-${j}`,
              onclick: () => {
                change(ctx, { layer: row.layer, other: { ...column } });
                ctx.reveal(null);
              },
            },
            (100 * share).toFixed(0),
          ),
        );
        const button = cell.firstElementChild as HTMLElement;
        button.style.background = color;
        button.style.color = inkOn(color);
        return cell;
      }),
    ),
  );
  return h("table", {}, h("thead", {}, h("tr", {}, h("td", {}), ...head)), h("tbody", {}, ...body));
}
