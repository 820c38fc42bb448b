import { type Context, change } from "../context.ts";
import { type Column, formatDate } from "../data/columns.ts";
import { plural } from "../data/format.ts";
import type { Study } from "../data/study.ts";
import { untangling } from "../data/follow.ts";
import { freshId, h } from "../dom.ts";
import { quote, search } from "../state/search.ts";
import { placeName } from "./places.ts";

/** Between what was looked for and where. */
const AT = " @ ";

/** Names of so many classes at most are offered while one writes. */
const OFFERED = 200;

/** One box that selects points by what they are. */
export function finder(ctx: Context): HTMLElement {
  const { study } = ctx;
  const id = freshId("finder");
  const told = h("p", { class: "hint", role: "status", "data-testid": "found" });
  const input = h("input", {
    type: "search",
    placeholder: `Find: ${examples(study).join(", ")}`,
    "aria-label": "Find points by class, text or condition, and select them",
    "data-testid": "find",
    list: id,
    autocomplete: "off",
    spellcheck: "false",
    maxlength: "300",
    dir: "auto",
  });
  const form = h(
    "form",
    {
      class: "finder",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        find();
      },
    },
    input,
    h("datalist", { id }, ...offers(ctx).map((value) => h("option", { value }))),
    told,
  );
  const find = () => {
    const query = input.value.trim();
    const state = ctx.store.get();
    if (!query) {
      told.textContent = "";
      change(ctx, { find: "", ...(state.find ? { selection: [] } : {}) });
      return;
    }
    const found = search(study, state, query);
    if ("error" in found) {
      told.textContent = found.error;
      return;
    }
    const { points } = found;
    const place = placeName(study, state);
    change(ctx, { find: points.length ? `${query}${AT}${place}` : "", selection: points });
    told.textContent = points.length
      ? `${plural(points.length, "point", "points")} found at ${placeName(study, state)}.`
      : `No point is so at ${placeName(study, state)}.`;
  };
  ctx.find = (query) => {
    input.value = query;
    find();
  };
  // The cross that empties the box.
  input.addEventListener("search", () => input.value || find());
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !input.value) return;
    input.value = "";
    find();
    event.stopPropagation();
  });
  ctx.onDestroy(
    ctx.store.watch(["find", "selection"], ({ find: query, selection }) => {
      if (query) input.value = query.split(AT)[0] ?? "";
      else if (!selection.length && document.activeElement !== input) input.value = "";
      if (!selection.length && query) change(ctx, { find: "" });
    }),
  );
  return form;
}

/** What can be looked for here, in a few words. */
function examples(study: Study): string[] {
  const place = { model: 0, layer: 0, epoch: null };
  const [column] = study.columns;
  const measured = study.models.some(({ layers }) => layers.some(({ hits }) => hits));
  const condition = study.values ? "value > 0" : measured ? "NH < 0.5" : "#17";
  return [
    study.classNames.length ? "class" : "",
    study.payload.snippets ? "text" : "",
    study.predictions(place) ? "wrong" : "",
    column ? exampleOf(column) : condition,
  ].filter(Boolean);
}

/** A condition on a column that some points meet and others do not, if there are any. */
function exampleOf(column: Column): string {
  const { kind, ends, names } = column;
  const name = quote(column.name);
  if (kind === "boolean") return name;
  if (kind === "category") return `${name} = ${quote(names[0] ?? "")}`;
  if (kind === "text" || !ends) return `${name}: word`;
  const middle = (ends[0] + ends[1]) / 2;
  if (kind === "date") return `${name} > ${formatDate(middle, true)}`;
  return `${name} > ${Number(middle.toPrecision(2))}`;
}

/** What can be looked for, of what is known here. */
function offers({ study }: Context): string[] {
  const { layers } = study.model(0);
  const place = { model: 0, layer: 0, epoch: null };
  const mapped = layers.filter((_, layer) => study.hasMap({ ...place, layer }));
  const [first, last] = [mapped[0]?.name, mapped.at(-1)?.name];
  const quoted = (name: string) => (/[\s,;]/.test(name) ? `"${name}"` : name);
  const known: [boolean, string[]][] = [
    [study.predictions(place) !== null, ["wrong", "correct"]],
    [layers.some(({ hits }) => hits), ["NH < 0.5"]],
    [layers.some(({ mapHits }) => mapHits), ["NH on map < 0.5"]],
    [study.confidence(place) !== null, ["confidence > 0.9", "wrong and confidence > 0.9"]],
    [study.values !== null, ["value > 0"]],
    [
      last !== undefined && untangling(study, place) !== null,
      [`untangled at ${quoted(last ?? "")}`, "tangled again"],
    ],
    [
      first !== undefined && last !== undefined && first !== last,
      [`moved > 0.3 between ${quoted(first ?? "")} and ${quoted(last ?? "")}`],
    ],
  ];
  const columns = study.columns.slice(0, OFFERED).map(exampleOf);
  const conditions = known.flatMap(([is, words]) => (is ? words : []));
  return [...conditions, ...columns, ...study.classNames.slice(0, OFFERED)];
}
