import type { Context } from "../context.ts";
import { change } from "../context.ts";
import type { Coords } from "../data/pack.ts";
import type { Place } from "../data/study.ts";
import { bdi, h, reducedMotion } from "../dom.ts";
import { DensityView, pointsWithin } from "../map/density.ts";
import { maskOf, someOf } from "../map/some.ts";
import { type Coloring, coloring, isShown, namedLabels, shown } from "../map/coloring.ts";
import type { Affine } from "../map/geometry.ts";
import { toScreen } from "../map/geometry.ts";
import { type Label, fewer, labelsOf } from "../map/labels.ts";
import { Crowd, type Field, type Rect } from "../map/names.ts";
import { OverlayView, noWebGL, shapesOf } from "../map/overlay.ts";
import { trailsOf } from "../map/trails.ts";
import { Scatter, affineOf, largeness } from "../map/scatter.ts";
import { classColors, readable } from "../data/palette.ts";
import { uriOf } from "../data/sprites.ts";
import { same } from "../state/store.ts";
import { type ViewState, type Zoom, settleZoom } from "../state/view-state.ts";
import { epochWords } from "./places.ts";
import { pointCard } from "./point-card.ts";

/** Milliseconds the points take from map to map. */
const MOVE = 700;
/** Milliseconds after which a view is at rest. */
const RESTING = 400;
/** Milliseconds that it is told how the wheel looks nearer. */
const TELLING = 1600;
/** The view of a map that nobody moved. */
const WHOLE = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
/** How many times as large names are on the whole screen, and a map's height for those of usual size. */
const [LARGE, LARGEST, ROOM] = [1.5, 3.2, 460];
/** Narrower maps have smaller pictures over them. */
const NARROW = 480;

interface Shown extends Pick<
  ViewState,
  "overlays" | "names" | "shapes" | "classes" | "only" | "selection"
> {
  coords: Coords;
  colors: Coloring;
  dark: boolean;
}

/** Of the density of all samples, where it is not colored by class. */
const PLAIN = "#8a8f98";

/** One map of the page: its points, shapes, and what is under the pointer. */
export class Pane {
  readonly element: HTMLElement;
  private readonly ctx: Context;
  private readonly where: (state: ViewState) => Place;
  private readonly canvas: HTMLCanvasElement;
  private readonly overlay = new OverlayView();
  private readonly tooltip = h("div", { class: "tooltip", hidden: true, "data-testid": "tooltip" });
  private readonly empty = h("p", { class: "no-map", hidden: true, "data-testid": "no-map" });
  private readonly spared = h(
    "p",
    { class: "spared", hidden: true, "aria-hidden": "true" },
    "Click the map, or hold Ctrl or ⌘, and the wheel looks nearer",
  );
  private resting: ReturnType<typeof setTimeout> | undefined;
  private zoomed: Zoom | null = null;
  private readonly name: string;
  private telling: ReturnType<typeof setTimeout> | undefined;
  private readonly density = new DensityView();
  private scatter: Scatter | null = null;
  private coords: Coords | null = null;
  private named: { key: unknown[]; labels: Label[]; crowd: Crowd } | null = null;
  private pointed = false;
  private gone = false;
  private shownLast: Shown | null = null;

  constructor(ctx: Context, name: string, where: (state: ViewState) => Place) {
    this.ctx = ctx;
    this.where = where;
    this.name = name;
    this.canvas = h("canvas", {
      "data-testid": `${name}-canvas`,
      role: "img",
      tabindex: "0",
      "aria-label": "Map of the points; left and right arrow keys change the layer",
    });
    this.element = h(
      "div",
      { class: "pane", "data-testid": name },
      this.isDense && this.density.canvas,
      this.overlay.under,
      this.canvas,
      this.overlay.over,
      this.empty,
      this.tooltip,
      this.spared,
    );
    this.canvas.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.holdMiddle();
    });
    this.canvas.addEventListener("spared", () => this.tellOfWheel());
  }

  /** That the wheel scrolls the page. */
  private tellOfWheel(): void {
    this.spared.hidden = false;
    clearTimeout(this.telling);
    clearTimeout(this.resting);
    this.density.destroy();
    this.telling = setTimeout(() => (this.spared.hidden = true), TELLING);
  }

  /** To be called once the element is in the document. */
  start(): void {
    // WebGL takes a while to wake up: let the page be painted before.
    requestAnimationFrame(() => setTimeout(() => this.gone || this.open()));
  }

  /** Tell the state where one looks, once the view of the first map rests. */
  private remember(): void {
    clearTimeout(this.resting);
    if (this.name !== "map") return;
    this.resting = setTimeout(() => {
      if (!this.scatter || this.gone) return;
      this.zoomed = settleZoom(this.scatter.zoomed);
      change(this.ctx, { zoom: this.zoomed });
    }, RESTING);
  }

  /** The view has moved. */
  private look(): void {
    this.remember();
    const field = this.field();
    this.overlay.move(field);
    if (this.isDense) this.density.move(field.affine, field.width, field.height);
  }

  /** Whether a density lies beneath the dots. */
  private get isDense(): boolean {
    const { study } = this.ctx;
    return study.drawn !== null || study.samplesInAll !== null;
  }

  /** The point that a dot is of, where not all points are dots. */
  private pointOf(dot: number): number {
    return this.ctx.study.drawn?.[dot] ?? dot;
  }

  /** All points within a lasso, of the classes that are shown. */
  private within(corners: [number, number][]): number[] {
    const { study, store } = this.ctx;
    const found = this.coords ? pointsWithin(this.coords, corners) : [];
    const state = store.get();
    return found.filter((i) => isShown(study, state, i));
  }

  private open(): void {
    const { ctx } = this;
    const { study } = ctx;
    try {
      this.scatter = new Scatter(this.canvas, {
        hover: (dot) => {
          const point = dot === null ? null : this.pointOf(dot);
          this.pointed = point !== null;
          ctx.fleeting.set({ hovered: point });
        },
        click: (dot) => {
          const point = this.pointOf(dot);
          const focus = ctx.store.get().focus === point ? null : point;
          change(ctx, { focus });
        },
        lasso: (dots, corners, event) =>
          this.select(study.drawn ? this.within(corners) : dots, event),
        view: () => this.look(),
        settled: () => this.rest(true),
      });
    } catch {
      this.element.classList.add("without-webgl");
      this.element.replaceChildren(noWebGL(uriOf(ctx.study.payload.figure)));
      ctx.fleeting.set({ still: true });
      return;
    }
    this.look();
    this.scatter.setLasso(ctx.fleeting.get().lasso);
    this.update(ctx.store.get(), null);
  }

  destroy(): void {
    this.gone = true;
    clearTimeout(this.telling);
    this.scatter?.destroy();
    this.scatter = null;
    this.element.remove();
  }

  update(state: ViewState, before: ViewState | null): void {
    if (!this.scatter) return;
    const { study, fleeting } = this.ctx;
    const { dark } = fleeting.get();
    // The second map takes the view of the first when it opens, and is then looked at by itself.
    if (!same(state.zoom, this.zoomed) && (this.name === "map" || !this.shownLast)) {
      this.zoomed = state.zoom;
      this.scatter.look(state.zoom ?? [1, 0, 0]);
    }
    const { model, layer, epoch } = this.where(state);
    const place = { model, layer, epoch };
    const coords = study.coords(place);
    this.describe(place, coords !== null);
    this.element.classList.toggle("mapless", !coords);
    const moved = coords !== this.coords;
    this.coords = coords ?? this.coords;
    if (!coords) return;
    const colors = coloring(study, { ...state, ...place }, dark);
    this.point();
    const { overlays, names, shapes, classes, only: alone, selection } = state;
    this.follow(state, place, colors);
    const now: Shown = {
      ...{ coords, colors, dark, overlays, names, shapes, classes, only: alone, selection },
    };
    if (this.isShown(now)) return;
    this.shownLast = now;
    const duration = moved && before && !reducedMotion() ? MOVE : 0;
    const faint = faintOutside(state.selection, study.n);
    const only = shown(study, state);
    const shaped = shapes && colors.ofClasses;
    const frame = { ...coords, ...colors, faint, only, dark, duration, shapes: shaped };
    const dots = study.drawn;
    this.scatter.show(dots ? someOf(frame, dots) : frame);
    const cells = study.cells(place);
    if (cells) {
      const inks = colors.ofClasses
        ? classColors(study.classNames.length, dark)
        : study.classNames.map(() => PLAIN);
      this.density.show({ cells, coords, colors: [...inks, PLAIN], only: classes });
    } else if (dots) {
      const mask = maskOf(study.n, only, state.selection);
      this.density.show({ coords, categories: colors.categories, colors: colors.colors, mask });
    } else if (this.isDense) this.density.show(null);
    this.rest(!moved);
    this.overlay.draw(
      shapesOf(
        study.layer(place),
        coords,
        overlays,
        classes,
        study.labels,
        study.classNames.length,
      ),
      colors.ofClasses ? classColors(study.classNames.length, dark) : null,
    );
    // Shapes whose colors do not tell their classes are named whatever was chosen.
    const told = names || (overlays.length > 0 && !colors.ofClasses);
    const inks = colors.ofClasses
      ? classColors(study.classNames.length, dark).map((color) => readable(color, dark))
      : null;
    this.overlay.name(told ? { ...this.labels(coords, state), inks } : null, duration);
  }

  /** Draw the way of the held point and of the selected ones. */
  private follow(state: ViewState, place: Place, { categories, colors }: Coloring): void {
    const { focus, selection, trails } = state;
    const points = [...(focus === null ? [] : [focus]), ...selection.filter((i) => i !== focus)];
    const shownOnes = trails ? points.filter((i) => isShown(this.ctx.study, state, i)) : [];
    this.overlay.follow(
      shownOnes.length
        ? trailsOf(this.ctx.study, place, shownOnes, (i) => colors[categories[i] as number] ?? "")
        : null,
    );
  }

  private labels(coords: Coords, state: ViewState): { labels: Label[]; crowd: Crowd } {
    const key = [coords, state.classes, state.only];
    if (!this.named || this.named.key.some((part, i) => part !== key[i])) {
      const { study } = this.ctx;
      const { classNames, drawn } = study;
      const { codes, classes } = namedLabels(study, state);
      const named = classes && classes.filter((index) => index < classNames.length);
      const by = drawn ? fewer(coords, codes, drawn, classNames.length) : { coords, codes };
      const crowd = new Crowd(by.coords, by.codes, classes);
      this.named = { key, labels: labelsOf(by.coords, by.codes, classNames, named), crowd };
    }
    return this.named;
  }

  /** Whether the points lie still; shapes are shown only then. */
  private rest(still: boolean): void {
    this.overlay.hide(!still);
    this.element.dataset["moving"] = String(!still);
  }

  /** Whether this is on the screen already: large things by identity, the state's by content. */
  private isShown(now: Shown): boolean {
    const last = this.shownLast;
    return (
      last !== null &&
      last.coords === now.coords &&
      last.colors === now.colors &&
      last.dark === now.dark &&
      last.names === now.names &&
      last.shapes === now.shapes &&
      same(last.overlays, now.overlays) &&
      same(last.classes, now.classes) &&
      same(last.only, now.only) &&
      same(last.selection, now.selection)
    );
  }

  /** Show what is hovered, or else what is held, with its neighbors. */
  point(): void {
    if (!this.scatter) return;
    const { study, fleeting, store } = this.ctx;
    const state = store.get();
    const { hovered } = fleeting.get();
    const point = hovered ?? state.focus;
    const neighbors = point === null ? [] : study.neighbors(this.where(state), point);
    const isThere = (i: number) => isShown(study, state, i);
    const visible = neighbors.filter(isThere);
    // A ring round nothing would mislead where a filter hides the point.
    this.overlay.mark(this.coords, point !== null && isThere(point) ? point : null, visible);
    this.showTooltip(this.pointed ? hovered : null);
  }

  setLasso(on: boolean): void {
    this.scatter?.setLasso(on);
    this.element.classList.toggle("lassoing", on);
  }

  zoom(factor: number): void {
    this.scatter?.zoom(factor);
  }

  /** Bring a point into view. */
  reveal(point: number): void {
    const { coords } = this;
    if (coords) this.scatter?.reveal(coords.x[point] as number, coords.y[point] as number);
  }

  /** Hold the point nearest to the middle of the view, for those who have no pointer. */
  private holdMiddle(): void {
    const { coords, scatter, ctx } = this;
    if (!coords || !scatter) return;
    const { affine, width, height } = this.view();
    const points = shown(ctx.study, ctx.store.get());
    let [nearest, best] = [-1, Number.POSITIVE_INFINITY];
    for (let at = 0; at < (points?.length ?? ctx.study.n); at++) {
      const i = points?.[at] ?? at;
      const [x, y] = toScreen(affine, coords.x[i] as number, coords.y[i] as number);
      const far = (x - width / 2) ** 2 + (y - height / 2) ** 2;
      if (far < best) [nearest, best] = [i, far];
    }
    if (nearest < 0) return;
    change(ctx, { focus: nearest });
    ctx.announce(`Sample ${ctx.study.sampleOf(nearest)}, ${ctx.study.labelName(nearest)}, is held`);
  }

  reset(): void {
    this.scatter?.reset();
  }

  /** How the map lies on the screen, and its size, for pictures of it. */
  view(): { affine: Affine; width: number; height: number } {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return { affine: this.scatter?.affine() ?? affineOf(WHOLE, width, height), width, height };
  }

  /** The same, and where what stands on the map leaves no room for names. */
  private field(): Field {
    const box = this.element.getBoundingClientRect();
    const tools =
      this.element.parentElement?.querySelectorAll<HTMLElement>(
        ".map-tools, .filter-chip, .map-title",
      ) ?? [];
    const blocked = [...tools].map((tool): Rect => {
      const { left, top, right, bottom } = tool.getBoundingClientRect();
      return [left - box.left, top - box.top, right - box.left, bottom - box.top];
    });
    const view = this.view();
    // Names to be read from the last row, where the map has the whole screen.
    const large = document.fullscreenElement?.contains(this.element) ?? false;
    const scale = large
      ? Math.min(LARGEST, Math.max(LARGE, view.height / ROOM))
      : largeness(view.height);
    return { ...view, blocked, scale };
  }

  private describe(place: Place, mapped: boolean): void {
    const { study } = this.ctx;
    const { name } = study.listed(place);
    const epoch = epochWords(study, place);
    this.canvas.setAttribute(
      "aria-label",
      `Map of the points at layer ${[name, ...epoch].join(", ")}; left and right arrow keys change the layer, Enter holds the point nearest to the middle`,
    );
    this.empty.hidden = mapped;
    if (!mapped) {
      const when = epoch.map((words) => ` at ${words}`);
      const begin = study.layer(place).pending ? "Waiting for the map of " : "There is no map of ";
      this.empty.replaceChildren(h("span", {}, begin, bdi(name), ...when, "."));
    }
  }

  private select(
    points: number[],
    event: { ctrlKey: boolean; metaKey: boolean; altKey: boolean },
  ): void {
    const { ctx } = this;
    const before = new Set(ctx.store.get().selection);
    if (event.altKey) for (const point of points) before.delete(point);
    else if (event.ctrlKey || event.metaKey) for (const point of points) before.add(point);
    const adds = event.altKey || event.ctrlKey || event.metaKey;
    change(ctx, { selection: adds ? [...before] : points, find: "" });
    ctx.announce(`${ctx.store.get().selection.length} points selected`);
  }

  private showTooltip(point: number | null): void {
    const { tooltip } = this;
    tooltip.hidden = point === null || !this.coords || !this.scatter;
    if (point === null || !this.coords || !this.scatter) return;
    tooltip.replaceChildren(
      pointCard(
        this.ctx,
        this.where(this.ctx.store.get()),
        point,
        this.element.clientWidth < NARROW ? 52 : 84,
      ),
    );
    const [x, y] = toScreen(
      this.scatter.affine(),
      this.coords.x[point] as number,
      this.coords.y[point] as number,
    );
    const { clientWidth: width, clientHeight: height } = this.element;
    const { offsetWidth: w, offsetHeight: hgt } = tooltip;
    const left = x + 18 + w > width ? x - 18 - w : x + 18;
    tooltip.style.left = `${Math.max(4, Math.min(left, width - w - 4))}px`;
    tooltip.style.top = `${Math.max(4, Math.min(y - hgt / 2, height - hgt - 4))}px`;
  }
}

function faintOutside(selection: number[], n: number): Uint8Array | null {
  if (!selection.length) return null;
  const faint = new Uint8Array(n).fill(1);
  for (const i of selection) faint[i] = 0;
  return faint;
}
