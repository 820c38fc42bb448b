import { decodeDecisions, encodeDecisions } from "../data/decisions.ts";
import type { Variant } from "../data/labelings.ts";
import type { Labeling, Payload } from "../data/payload.ts";
import { decodeViews, encodeViews } from "../data/saved-views.ts";
import type { Place, Study } from "../data/study.ts";
import { same } from "./store.ts";
import {
  COLORS,
  type Color,
  OVERLAYS,
  type Overlay,
  type ViewState,
  type Zoom,
  initialState,
} from "./view-state.ts";

/** More selected points than this are written as bits instead of a list that can be read. */
const READABLE = 300;

/** The state as a URL's fragment, without the "#"; only what differs from a page just opened. */
export function encodeState(study: Study, state: ViewState): string {
  const start = initialState(study);
  const parts: string[] = [];
  const put = (key: string, value: string) => parts.push(`${key}=${encodeURIComponent(value)}`);
  if (study.labeling) put("labels", study.payload.labelings?.[study.labeling]?.name ?? "");
  if (study.mapBy) put("map", study.payload.maps?.[study.mapBy]?.name ?? "");
  if (state.model !== 0) put("model", modelName(study, state.model));
  put("layer", layerName(study, state));
  if (state.epoch !== null && state.epoch !== study.epochs(state.model) - 1) {
    put("epoch", study.epochName(state.model, state.epoch));
  }
  if (state.other) {
    put("beside", layerName(study, state.other));
    const { model, epoch } = state.other;
    if (model !== state.model) put("beside-model", modelName(study, model));
    if (epoch !== null && epoch !== usualEpoch(study, state, model)) {
      put("beside-epoch", study.epochName(model, epoch));
    }
  }
  if (state.color !== "class") put("color", state.color);
  if (state.overlays.join() !== start.overlays.join())
    put("overlays", state.overlays.join(",") || "none");
  if (!state.names) put("names", "off");
  if (state.shapes) put("shapes", "on");
  if (state.trails) put("trails", "on");
  if (state.classes) put("classes", state.classes.join(","));
  if (state.selection.length) put("selection", encodeSelection(state.selection, study.n));
  if (state.only.length) put("only", encodeSelection(state.only, study.n));
  if (state.onlyBy) put("only-by", state.onlyBy);
  if (state.focus !== null) put("point", String(state.focus));
  if (state.measures.join() !== start.measures.join()) put("measures", state.measures.join(","));
  if (state.worst !== null) put("worst", String(state.worst));
  if (state.find) put("find", state.find);
  if (state.against.length) put("against", encodeSelection(state.against, study.n));
  if (state.errors !== null) put("scale", state.errors ? "errors" : "plain");
  if (state.zoom) put("zoom", state.zoom.join(","));
  if (Object.keys(state.decisions).length) put("judged", encodeDecisions(state.decisions));
  const views = same(state.views, start.views) ? null : encodeViews(state.views);
  if (views !== null) put("views", views);
  if (state.bare) put("view", "map");
  return parts.join("&").replaceAll("%2C", ",");
}

/** The labeling and the kind of maps that a fragment names; the first where it names none. */
export function variantIn({ labelings, maps }: Payload, fragment: string): Variant {
  const values = parse(fragment);
  const place = (all: Labeling[] | null | undefined, key: string) =>
    Math.max(0, all?.findIndex(({ name }) => name === values.get(key)) ?? -1);
  return { labeling: place(labelings, "labels"), map: place(maps, "map") };
}

/** Read a fragment; what is unknown or broken is passed over. */
export function decodeState(study: Study, fragment: string): Partial<ViewState> {
  const values = parse(fragment);
  const state: Partial<ViewState> = {};
  const model = findModel(study, values.get("model")) ?? 0;
  if (values.has("model")) state.model = model;
  const layer = findLayer(study, model, values.get("layer"));
  if (layer !== null) state.layer = layer;
  const epoch = findEpoch(study, model, values.get("epoch"));
  if (epoch !== null) state.epoch = epoch;
  const otherModel = findModel(study, values.get("beside-model")) ?? model;
  const other = findLayer(study, otherModel, values.get("beside"));
  if (other !== null) {
    const beside = findEpoch(study, otherModel, values.get("beside-epoch"));
    const usual = usualEpoch(study, { model, epoch: epoch ?? study.epochs(model) - 1 }, otherModel);
    state.other = { model: otherModel, layer: other, epoch: beside ?? usual };
  }
  const color = values.get("color");
  if (color && isColor(study, color)) state.color = color as Color;
  const overlays = values.get("overlays")?.split(",") ?? [];
  if (overlays.length) state.overlays = OVERLAYS.filter((o: Overlay) => overlays.includes(o));
  if (values.get("names") === "off") state.names = false;
  if (values.get("shapes") === "on") state.shapes = true;
  if (values.get("trails") === "on") state.trails = true;
  const classes = integers(values.get("classes"));
  if (classes.length) state.classes = classes;
  const selection = values.get("selection");
  if (selection) state.selection = decodeSelection(selection, study.n);
  const only = values.get("only");
  if (only) {
    state.only = decodeSelection(only, study.n);
    state.onlyBy = values.get("only-by") ?? "";
  }
  const [focus] = integers(values.get("point"));
  if (focus !== undefined) state.focus = focus;
  const measures = values.get("measures");
  if (measures !== undefined) {
    const known = new Set(study.payload.measures.map(({ name }) => name));
    const found = measures.split(",").filter((name) => known.has(name));
    // A link of none that there is would hide all scores.
    if (found.length || measures === "") state.measures = found;
  }
  const find = values.get("find");
  if (find) state.find = find;
  const against = values.get("against");
  if (against) state.against = decodeSelection(against, study.n);
  const scale = values.get("scale");
  if (scale === "errors" || scale === "plain") state.errors = scale === "errors";
  const zoom = values.get("zoom")?.split(",").map(Number);
  if (zoom?.length === 3) state.zoom = zoom as Zoom;
  if (values.get("view") === "map") state.bare = true;
  const judged = values.get("judged");
  if (judged) state.decisions = decodeDecisions(judged);
  const views = values.get("views");
  if (views !== undefined) state.views = decodeViews(views);
  const [worst] = integers(values.get("worst"));
  if (worst !== undefined) state.worst = worst;
  return state;
}

/** What a fragment names and this page does not have, in words. */
export function missingIn(study: Study, fragment: string): string[] {
  const values = parse(fragment);
  const known = new Set(study.payload.measures.map(({ name }) => name));
  const model = findModel(study, values.get("model"));
  const there = findModel(study, values.get("beside-model")) ?? model ?? 0;
  const unknown = (what: string, key: string, found: number | null): string[] =>
    values.has(key) && found === null ? [`${what} “${values.get(key)}”`] : [];
  const measures = (values.get("measures") ?? "")
    .split(",")
    .filter((name) => name && !known.has(name));
  return [
    ...unknown("model", "model", model),
    ...unknown("layer", "layer", findLayer(study, model ?? 0, values.get("layer"))),
    ...unknown("epoch", "epoch", findEpoch(study, model ?? 0, values.get("epoch"))),
    ...unknown("layer", "beside", findLayer(study, there, values.get("beside"))),
    ...measures.map((name) => `measure “${name}”`),
    ...missingColor(study, values.get("color")),
    ...missingName("labels", study.payload.labelings, values.get("labels")),
    ...missingName("map by", study.payload.maps, values.get("map")),
  ];
}

function missingName(
  what: string,
  all: Labeling[] | null | undefined,
  name: string | undefined,
): string[] {
  if (!name || all?.some((each) => each.name === name)) return [];
  return [`${what} “${name}”`];
}

function isColor(study: Study, text: string): boolean {
  if (text.startsWith("@")) return study.columns.some(({ name }) => name === text.slice(1));
  return (COLORS as readonly string[]).includes(text);
}

function missingColor(study: Study, text: string | undefined): string[] {
  if (!text || isColor(study, text)) return [];
  return [text.startsWith("@") ? `column “${text.slice(1)}”` : `color “${text}”`];
}

/** "3-5,9", or for many points "~" and one bit a point. */
export function encodeSelection(selection: number[], n: number): string {
  if (selection.length > READABLE) {
    const bytes = new Uint8Array(Math.ceil(n / 8));
    for (const i of selection) bytes[i >> 3] = (bytes[i >> 3] as number) | (1 << (i & 7));
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return `~${btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
  }
  const runs: string[] = [];
  for (let i = 0; i < selection.length;) {
    let end = i;
    while (selection[end + 1] === (selection[end] as number) + 1) end++;
    runs.push(end > i ? `${selection[i]}-${selection[end]}` : `${selection[i]}`);
    i = end + 1;
  }
  return runs.join(",");
}

export function decodeSelection(text: string, n: number): number[] {
  if (text.startsWith("~")) return decodeBits(text.slice(1), n);
  const found: number[] = [];
  for (const run of text.split(",")) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(run);
    if (!match) continue;
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? match[1]), n - 1);
    for (let i = first; i <= last; i++) found.push(i);
  }
  return found;
}

function decodeBits(text: string, n: number): number[] {
  let bytes: string;
  try {
    bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return [];
  }
  const found: number[] = [];
  for (let i = 0; i < Math.min(n, bytes.length * 8); i++) {
    if (bytes.charCodeAt(i >> 3) & (1 << (i & 7))) found.push(i);
  }
  return found;
}

function parse(fragment: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const part of fragment.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    if (at < 1) continue;
    try {
      values.set(part.slice(0, at), decodeURIComponent(part.slice(at + 1)));
    } catch {
      // A broken escape: as if it were not there.
    }
  }
  return values;
}

/** A name, or "*3" for the third where names repeat. */
function layerName(study: Study, { model, layer }: Pick<Place, "model" | "layer">): string {
  const { name } = study.listed({ model, layer });
  return study.indexOf(model, name) === layer && !name.startsWith("*") ? name : `*${layer + 1}`;
}

function modelName(study: Study, model: number): string {
  const { name } = study.model(model);
  const first = study.models.findIndex((other) => other.name === name);
  return first === model && !name.startsWith("*") ? name : `*${model + 1}`;
}

function findLayer(study: Study, model: number, text: string | undefined): number | null {
  return find(study.model(model).layers, text);
}

function findEpoch(study: Study, model: number, text: string | undefined): number | null {
  const steps = [...Array(study.epochs(model)).keys()];
  return steps.find((step) => study.epochName(model, step) === text) ?? null;
}

/** The epoch of a second map where the link names none: of the same model that of the first. */
function usualEpoch(
  study: Study,
  { model, epoch }: Pick<Place, "model" | "epoch">,
  other: number,
): number | null {
  if (!study.epochs(other)) return null;
  return other === model ? epoch : study.epochs(other) - 1;
}

function findModel(study: Study, text: string | undefined): number | null {
  return find(study.models, text);
}

function find(things: { name: string }[], text: string | undefined): number | null {
  if (text === undefined) return null;
  const numbered = /^\*(\d{1,6})$/.exec(text);
  const index = numbered ? Number(numbered[1]) - 1 : things.findIndex(({ name }) => name === text);
  return index >= 0 && index < things.length ? index : null;
}

function integers(text: string | undefined): number[] {
  return (text ?? "")
    .split(",")
    .filter((part) => /^\d{1,9}$/.test(part))
    .map(Number);
}
