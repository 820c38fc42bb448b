import type { Context } from "../context.ts";
import { type Bar, type ColumnFacts, columnFacts } from "../data/column-facts.ts";
import { MISSING } from "../data/columns.ts";
import { formatPercent, shorten } from "../data/format.ts";
import { bdi, h, s } from "../dom.ts";

/** So many columns are shown at first. */
const FIRST = 3;
const [WIDTH, HEIGHT] = [240, 44];
const NAME = 24;

/** The metadata of the selected points beside that of the rest, the most different first. */
export function selectedColumns(ctx: Context): { element: HTMLElement; draw: () => void } {
  const { study, store } = ctx;
  let all = false;
  const list = h("div", { class: "column-facts" });
  const more = h("button", {
    type: "button",
    class: "link",
    "data-testid": "columns-more",
    onclick: () => {
      all = true;
      draw();
    },
  });
  const element = h(
    "div",
    { class: "of-columns", "data-testid": "selection-columns" },
    h("h3", {}, "Metadata: these, and in gray the rest"),
    list,
    more,
  );
  const draw = () => {
    const { selection } = store.get();
    element.hidden = !study.columns.length || !selection.length || selection.length === study.n;
    if (element.hidden) return;
    const facts = study.columns.flatMap((column) => columnFacts(column, study.n, selection) ?? []);
    facts.sort((a, b) => b.distance - a.distance);
    const shown = all ? facts : facts.slice(0, FIRST);
    list.replaceChildren(...shown.map(picture));
    more.hidden = shown.length === facts.length;
    more.textContent = `Show all ${facts.length} columns`;
    element.hidden = !facts.length;
  };
  return { element, draw };
}

function picture(facts: ColumnFacts): HTMLElement {
  return h(
    "div",
    { class: "column-fact" },
    h("p", { class: "name" }, bdi(shorten(facts.column.name, 2 * NAME))),
    facts.ends ? histogram(facts, facts.ends) : rows(facts.bars),
  );
}

function said({ label, own, rest }: Bar): string {
  return `${label}: ${formatPercent(own, 0)} of these, ${formatPercent(rest, 0)} of the rest`;
}

/** Numbers as bars: those selected in color, over the outline of the rest. */
function histogram({ bars, column }: ColumnFacts, [low, high]: [string, string]): HTMLElement {
  const numbers = bars.filter(({ label }) => label !== MISSING);
  const missing = bars.find(({ label, own, rest }) => label === MISSING && (own || rest));
  const most = Math.max(...numbers.flatMap(({ own, rest }) => [own, rest])) || 1;
  const wide = WIDTH / numbers.length;
  const tall = (share: number) => (share / most) * (HEIGHT - 2);
  const box = (kind: string, at: number, share: number) =>
    share > 0 &&
    s("rect", {
      class: kind,
      x: (at * wide + 0.5).toFixed(1),
      width: (wide - 1).toFixed(1),
      y: (HEIGHT - tall(share)).toFixed(1),
      height: tall(share).toFixed(1),
    });
  const peaks = [...numbers]
    .sort((a, b) => b.own - a.own)
    .slice(0, 3)
    .map(said);
  const svg = s(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `${column.name} from ${low} to ${high}. Most of these: ${peaks.join("; ")}`,
    },
    ...numbers.map(({ rest }, at) => box("rest", at, rest)),
    ...numbers.map(({ own }, at) => box("own", at, own)),
  );
  return h(
    "div",
    {},
    svg,
    h("p", { class: "ends" }, h("span", {}, low), h("span", {}, high)),
    missing ? h("p", { class: "hint" }, `${said(missing)}.`) : "",
  );
}

/** Names as rows of two bars. */
function rows(bars: Bar[]): HTMLElement {
  const most = Math.max(...bars.flatMap(({ own, rest }) => [own, rest])) || 1;
  const bar = (kind: string, share: number) => {
    const element = h("i", { class: kind });
    element.style.width = `${(100 * share) / most}%`;
    return element;
  };
  const items = bars.map((one) =>
    h(
      "li",
      { title: said(one) },
      h("span", { class: "name" }, bdi(shorten(one.label, NAME))),
      h("span", { class: "track" }, bar("own", one.own), bar("rest", one.rest)),
      h("span", { class: "count" }, `${formatPercent(one.own, 0)} · ${formatPercent(one.rest, 0)}`),
    ),
  );
  return h("ul", {}, ...items);
}
