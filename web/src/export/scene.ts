import { formatCount, formatNumber, measureTitle } from "../data/format.ts";
import { classColors, readable } from "../data/palette.ts";
import type { Place, Study } from "../data/study.ts";
import { type LegendEntry, coloring, namedLabels, shown } from "../map/coloring.ts";
import type { Point } from "../data/payload.ts";
import { type Affine, toScreen } from "../map/geometry.ts";
import { labelsOf } from "../map/labels.ts";
import { Crowd, type PlacedName, placeNames, textWidth } from "../map/names.ts";
import { type Shape, shapesOf } from "../map/overlay.ts";
import { type Marker, markerOf, markerSize } from "../map/markers.ts";
import { pointSize, pointZoom } from "../map/scatter.ts";
import { PAPER_GAP, inks, mostEntries } from "./layout.ts";
import { epochWords } from "../components/places.ts";
import { type Overlay, type ViewState, scoreOf } from "../state/view-state.ts";

export interface Dot {
  x: number;
  y: number;
  color: string;
  opacity: number;
  marker: Marker;
}

export interface Panel {
  title: string;
  /** What stands after the title, the most important first. */
  subtitles: string[];
  width: number;
  height: number;
  affine: Affine;
  radius: number;
  /** In pixels of the panel, in the order of drawing; those outside it are left out. */
  dots: Dot[];
  /** Filled, with points over them, in the color of their class; or else in ink, as lines only. */
  shapes: (Shape & { color: string; filled: boolean })[];
  /** From the point held to its neighbors, and round them. */
  lines: [Point, Point][];
  rings: { at: Point; r: number }[];
  /** Names of classes. */
  names: (PlacedName & { color: string })[];
}

/** A picture of the maps, as plain as it can be drawn anywhere. */
export interface Scene {
  title: string;
  dark: boolean;
  /** Inches wide, where it is for paper. */
  paper: number | null;
  panels: Panel[];
  legend: { title: string; entries: LegendEntry[]; lines: Overlay[]; shapes: boolean };
}

export interface Look {
  place: Place;
  affine: Affine;
  width: number;
  height: number;
  /** How many times as large as on the screen; 1 by default. */
  factor?: number;
}

/** The least radius of a point, which paper still shows. */
const LEAST = 0.8;
/** Units of a picture for paper to an inch: its text has 7 to 8 points. */
const PER_INCH = 400 / 3;

/** Maps side by side on a width, each showing what it shows on the screen. */
export function lookOn(looks: Look[], all: number, gap: number): Look[] {
  const width = (all - gap * (looks.length - 1)) / looks.length;
  return looks.map((look) => {
    const factor = width / Math.max(1, look.width);
    const { kx, ky, tx, ty } = look.affine;
    const affine = { kx: kx * factor, ky: ky * factor, tx: tx * factor, ty: ty * factor };
    return { ...look, affine, width, height: look.height * factor, factor };
  });
}

export function sceneOf(
  study: Study,
  state: ViewState,
  dark: boolean,
  onScreen: Look[],
  paper: number | null = null,
): Scene {
  const looks =
    paper === null ? onScreen : lookOn(onScreen, Math.round(paper * PER_INCH) - 2, PAPER_GAP);
  const { title, entries, ofClasses } = coloring(study, state, dark);
  const used = entries.filter(
    ({ class: index }) => index === null || !state.classes || state.classes.includes(index),
  );
  const panels = looks.map((look) => panelOf(study, state, dark, look));
  return {
    title: study.payload.title,
    dark,
    paper,
    panels,
    legend: {
      title,
      entries: listed(used, panels, mostEntries(paper)),
      lines: state.overlays,
      shapes: state.shapes && ofClasses,
    },
  };
}

/** The entries that a picture's legend has room for: those named on a map, then those of most points. */
function listed(entries: LegendEntry[], panels: Panel[], most: number): LegendEntry[] {
  if (entries.length <= most) return entries;
  const named = new Set(panels.flatMap(({ names }) => names.map((name) => name.class)));
  const rank = ({ class: index }: LegendEntry) => Number(named.has(index ?? -1));
  const kept = new Set(
    [...entries].sort((a, b) => rank(b) - rank(a) || b.count - a.count).slice(0, most - 1),
  );
  const rest = entries.length - kept.size;
  const words = { label: `and ${formatCount(rest)} more`, color: "none", count: 0, class: null };
  return [...entries.filter((entry) => kept.has(entry)), words];
}

function everyone(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function panelOf(study: Study, state: ViewState, dark: boolean, look: Look): Panel {
  const { place, affine, width, height } = look;
  const coords = study.coords(place);
  const title = study.listed(place).name;
  const panel: Panel = {
    title,
    subtitles: subtitlesOf(study, state, place),
    width,
    height,
    affine,
    radius: 2,
    dots: [],
    shapes: [],
    lines: [],
    rings: [],
    names: [],
  };
  if (!coords) return panel;
  const { categories, colors, last, ofClasses } = coloring(study, { ...state, ...place }, dark);
  const only = shown(study, state);
  const shaped = state.shapes && ofClasses;
  const { factor = 1 } = look;
  const size = pointSize(only?.length ?? study.n, height / factor);
  const radius = ((shaped ? markerSize(size) : size) / 2) * pointZoom(affine, height);
  panel.radius = Math.max(LEAST, factor * radius);
  const chosen = state.selection.length ? new Set(state.selection) : null;
  const add = (i: number) => {
    const x = affine.tx + affine.kx * (coords.x[i] as number);
    const y = affine.ty + affine.ky * (coords.y[i] as number);
    if (x < 0 || y < 0 || x > width || y > height) return;
    const opacity = chosen && !chosen.has(i) ? 0.08 : 0.85;
    const category = categories[i] as number;
    const marker = shaped ? markerOf(category) : "circle";
    panel.dots.push({ x, y, color: colors[category] as string, opacity, marker });
  };
  const late = new Set(last ?? []);
  const some = study.drawn && [...study.drawn];
  const wanted = some && only ? new Set(only) : null;
  const order = some?.filter((i) => !wanted || wanted.has(i)) ?? only ?? everyone(study.n);
  for (const i of order) if (!late.has(i)) add(i);
  for (const i of order) if (late.has(i)) add(i);
  const { ink } = inks(dark);
  const tints = classColors(study.classNames.length, dark);
  panel.shapes = shapesOf(
    study.layer(place),
    coords,
    state.overlays,
    state.classes,
    study.labels,
    study.classNames.length,
  ).map((shape) => ({
    ...shape,
    color: ofClasses ? (tints[shape.class] ?? ink) : ink,
    filled: ofClasses,
  }));
  if (state.focus !== null && (!only || only.includes(state.focus))) {
    const there = (i: number) => toScreen(affine, coords.x[i] as number, coords.y[i] as number);
    const at = there(state.focus);
    const near = study
      .neighbors(place, state.focus)
      .filter((i) => !only || only.includes(i))
      .map(there);
    panel.lines = near.map((other) => [at, other]);
    panel.rings = [...near.map((other) => ({ at: other, r: 4 })), { at, r: 8 }];
  }
  if (state.names || (panel.shapes.length && !ofClasses)) {
    const { codes, classes } = namedLabels(study, state);
    const named = classes && classes.filter((index) => index < study.classNames.length);
    const labels = labelsOf(coords, codes, study.classNames, named);
    const crowd = new Crowd(coords, codes, classes);
    const { muted } = inks(dark);
    panel.names = placeNames(labels, look, crowd, textWidth).map((name) => {
      const tint = ofClasses ? readable(tints[name.class] ?? ink, dark) : ink;
      return { ...name, color: name.firm ? tint : muted };
    });
  }
  return panel;
}

function subtitlesOf(study: Study, state: ViewState, place: Place): string[] {
  const parts: string[] = [];
  if (study.models.length > 1) parts.push(study.model(place.model).name);
  parts.push(...epochWords(study, place));
  if (state.only.length) {
    const by = state.onlyBy ? `: ${state.onlyBy.replace(" @ ", ", at ")}` : "";
    parts.push(`only ${formatCount(state.only.length)} points${by}`);
  }
  if (study.drawn)
    parts.push(`${formatCount(study.drawn.length)} of ${formatCount(study.n)} points`);
  const [name] = state.measures;
  const measure = name === undefined ? undefined : study.measure(name);
  if (measure) {
    const score = scoreOf(study, place, measure.name);
    parts.push(`${measureTitle(measure, study.payload.measures)} ${formatNumber(score?.value)}`);
  }
  return parts;
}
