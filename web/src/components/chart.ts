import { areaY, dot, lineY, plot, ruleX } from "@observablehq/plot";
import { type Context, change } from "../context.ts";
import {
  describeScore,
  formatDifference,
  formatNumber,
  intervalOf,
  measureTitle,
  shortenMiddle,
} from "../data/format.ts";
import { blocksOf } from "../data/names.ts";
import { textWidth } from "../map/names.ts";
import type { Measure } from "../data/payload.ts";
import type { Place } from "../data/study.ts";
import { lineColors } from "../data/palette.ts";
import { h, s } from "../dom.ts";
import { type ViewState, scoreOf } from "../state/view-state.ts";
import { epochWords } from "./places.ts";
import {
  type Scale,
  drawn,
  drawnSpot,
  errorTicks,
  hasErrors,
  isNearOne,
  scaleOf,
} from "./scale.ts";
import {
  type Axis,
  type How,
  PLAIN,
  type Spot,
  bands,
  controlOf,
  curvesOf,
  placeOn,
  seriesOf,
  stepNames,
} from "./series.ts";

type Drawn = (SVGSVGElement | HTMLElement) & { scale(name: string): PlotScale | undefined };
interface PlotScale {
  apply(value: number): number;
  invert?(pixel: number): number;
}

const HEIGHT = 134;
const MARGIN = { top: 10, right: 28, left: 44 };
/** Characters of a name under a tick, and pixels of one. */
const LONGEST = 13;
const LETTER = 6.2;
const GAP = 8;
/** Below the axis, and between turned names. */
const BELOW = 24;
const TURNED = 13;
const ANGLE = -38;

/** One measure over the layers, or over the epochs of one layer. */
export class Chart {
  readonly element: HTMLElement;
  private readonly ctx: Context;
  private readonly measure: Measure;
  private readonly value = h("b", {});
  private readonly interval = h("small", {});
  private readonly note = h("small", { class: "of-axis" });
  private how: How = PLAIN;
  /** The step under the pointer. */
  private pointed: number | null = null;
  private shown: { state: ViewState; axis: Axis } | null = null;
  private readonly body = h("div", { class: "chart-body" });
  private readonly marks = s("g", { class: "marks" });
  private drawn: Drawn | null = null;
  private scale: Scale = {
    errors: false,
    floor: 1,
    domain: null,
    below: [],
    above: [],
    beyond: new Set(),
  };
  private key = "";

  constructor(ctx: Context, measure: Measure) {
    this.ctx = ctx;
    this.measure = measure;
    const title = measureTitle(measure, ctx.study.payload.measures);
    this.element = h(
      "figure",
      { class: "chart", "data-testid": `chart-${measure.name}` },
      h(
        "figcaption",
        {},
        h("span", { title }, title),
        h("span", { class: "now" }, this.value, this.interval),
        this.note,
      ),
      this.body,
    );
    this.body.addEventListener("click", (event) => this.go(event));
    this.body.addEventListener("pointermove", (event) => this.read(this.stepAt(event)));
    this.body.addEventListener("pointerleave", () => {
      this.pointed = null;
      this.element.classList.remove("pointed");
      if (this.shown) this.mark(this.shown.state, this.shown.axis);
    });
  }

  /** Tell the values under the pointer in place of those of what is shown. */
  private read(at: number | null): void {
    const { shown, ctx } = this;
    this.pointed = at;
    this.element.classList.toggle("pointed", at !== null);
    if (at === null || !shown) return;
    const { study } = ctx;
    const { state, axis } = shown;
    const place = axis === "layers" ? { ...state, layer: at } : { ...state, epoch: at };
    const score = scoreOf(study, place, this.measure.name);
    const name = stepNames(study, state.model, axis)[at] ?? "";
    const control = axis === "layers" ? controlOf(study, place, this.measure.name) : null;
    const parts = [intervalOf(score ?? { interval: null })];
    if (score?.null != null) parts.push(`chance ${formatNumber(score.null)}`);
    if (control !== null) {
      const change = score?.value == null ? "" : ` (${formatDifference(score.value - control)})`;
      parts.push(`untrained ${formatNumber(control)}${change}`);
    }
    this.value.textContent = `${name} ${formatNumber(score?.value)}`;
    this.interval.textContent = ` ${parts.filter(Boolean).join(" · ")}`;
    const x = this.drawn?.scale("x");
    this.marks.querySelector(".hovered")?.remove();
    if (x) this.marks.append(this.rule(x.apply(at), "hovered"));
  }

  /** The layer or epoch under the pointer. */
  private stepAt(event: MouseEvent): number | null {
    const x = this.drawn?.scale("x");
    if (!x?.invert || !this.shown) return null;
    const box = this.body.getBoundingClientRect();
    const { state, axis } = this.shown;
    const last = stepNames(this.ctx.study, state.model, axis).length - 1;
    const at = Math.round(x.invert(event.clientX - box.left));
    return Math.min(last, Math.max(0, at));
  }

  update(state: ViewState, axis: Axis, left: Set<string>, how: How = PLAIN): void {
    this.how = how;
    this.shown = { state, axis };
    const { dark } = this.ctx.fleeting.get();
    const width = Math.floor(this.body.clientWidth || this.element.clientWidth);
    if (width < 80) return;
    const { model, layer, epoch } = state;
    const series = seriesOf(this.ctx.study, state, axis).map(
      ({ place }) => Object.values(place) as unknown[],
    );
    const position = axis === "layers" ? [model, epoch] : [model, layer];
    const key = [
      axis,
      ...position,
      series.length > 1 ? series : "",
      dark,
      width,
      String(state.errors),
      how.less,
      how.depth,
      ...left,
    ].join();
    if (key !== this.key) {
      this.key = key;
      this.redraw(state, axis, width, dark, left);
    }
    this.mark(state, axis);
  }

  private redraw(
    state: ViewState,
    axis: Axis,
    width: number,
    dark: boolean,
    left: Set<string>,
  ): void {
    const { study } = this.ctx;
    const { how } = this;
    const curves = curvesOf(study, state, this.measure.name, axis, lineColors(dark), how).filter(
      ({ name, kind }) => kind === "model" || how.less || !left.has(name),
    );
    const errors = !how.less && hasErrors(this.measure) && (state.errors ?? isNearOne(curves));
    const scale = scaleOf(curves, errors);
    this.note.textContent = errors ? "log of errors" : how.less ? "less untrained" : "";
    this.scale = scale;
    const names = stepNames(study, state.model, axis);
    const ticks = ticksOf(names, width);
    const onAxis = curves.map((curve) => ({
      ...curve,
      runs: curve.runs.map((run) => run.map((spot) => drawnSpot(spot, scale))),
      bridges: curve.bridges.map((bridge) => bridge.map((spot) => drawnSpot(spot, scale))),
    }));
    const models = onAxis.filter(({ kind }) => kind === "model");
    const others = onAxis.filter(({ kind, name }) => kind !== "model" && !scale.beyond.has(name));
    const shares = errorAxis([...models, ...others], scale);
    const chart = plot({
      width,
      height: HEIGHT + ticks.below,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: ticks.below,
      marginLeft: MARGIN.left,
      style: { background: "none", overflow: "visible", fontFamily: "inherit", fontSize: "11px" },
      x: {
        type: "linear",
        domain: names.length > 1 ? [0, names.length - 1] : [-0.5, 0.5],
        ticks: ticks.at,
        tickFormat: (i: number) => ticks.names.get(i) ?? "",
        tickRotate: ticks.turned ? ANGLE : 0,
        tickSize: 4,
        label: null,
      },
      y: {
        nice: !scale.domain && !shares,
        ...(scale.domain ? { domain: scale.domain } : {}),
        grid: true,
        ticks: shares ? shares.map((share) => drawn(share, scale)) : 4,
        tickSize: 0,
        label: null,
        tickFormat: shares ? (_: number, i: number) => axisNumber(shares[i] ?? 0) : axisNumber,
        zero: false,
      },
      marks: [
        ...(ticks.blocks.length
          ? [ruleX(ticks.blocks, { stroke: "var(--line)", strokeDasharray: "1,3" })]
          : []),
        ...models.flatMap(({ runs, color }) =>
          runs.flatMap(bands).map((band) =>
            band.length > 1
              ? areaY(band, { x: "at", y1: "low", y2: "high", fill: color, fillOpacity: 0.18 })
              : ruleX(band, {
                  x: "at",
                  y1: "low",
                  y2: "high",
                  stroke: color,
                  strokeOpacity: 0.35,
                  strokeWidth: 5,
                }),
          ),
        ),
        ...others.flatMap(({ runs, kind, color }) =>
          runs.map((run) =>
            run.length > 1
              ? lineY(run, {
                  x: "at",
                  y: "value",
                  stroke: color,
                  strokeWidth: 1.25,
                  strokeDasharray: kind === "null" ? "1,3" : "5,3",
                  strokeLinecap: "round",
                  clip: true,
                })
              : dot(run, { x: "at", y: "value", r: 1.75, fill: color, clip: true }),
          ),
        ),
        ...models.flatMap(({ bridges, color }) =>
          bridges.map((bridge) =>
            lineY(bridge, {
              x: "at",
              y: "value",
              stroke: color,
              strokeWidth: 1,
              strokeDasharray: "2,4",
            }),
          ),
        ),
        ...models.flatMap(({ runs, color }) =>
          runs.map((run) => lineY(run, { x: "at", y: "value", stroke: color, strokeWidth: 2 })),
        ),
        ...models.map(({ runs, color }) =>
          dot(runs.flat(), { x: "at", y: "value", r: 2.5, fill: color }),
        ),
      ],
    });
    const what = measureTitle(this.measure, study.payload.measures);
    const where = axis === "layers" ? epochWords(study, state) : [study.listed(state).name];
    const told = curves.filter(({ kind }) => kind === "model");
    const words = told.map(({ name, runs }) => {
      const list = runs.flat().map(({ at, value }) => `${names[at] ?? at} ${formatNumber(value)}`);
      return `${name}: ${list.join(", ") || "no values"}`;
    });
    // Plot names its groups by their marks, which tells a listener nothing.
    for (const group of chart.querySelectorAll("g")) group.removeAttribute("aria-label");
    chart.setAttribute("role", "img");
    chart.setAttribute(
      "aria-label",
      `${[`${what} over the ${axis}`, ...where].join(", ")}. ${words.join(". ")}`,
    );
    this.drawn = chart;
    this.body.replaceChildren(chart);
    chart.append(this.marks, ...this.beyond(width));
    this.element.classList.toggle(
      "empty",
      curves.every(({ runs }) => !runs.length),
    );
  }

  /** The current place, without drawing the rest anew. */
  private mark(state: ViewState, axis: Axis): void {
    const { study, fleeting } = this.ctx;
    const score = scoreOf(study, state, this.measure.name);
    this.value.textContent = formatNumber(score?.value);
    const missing = !score || score.value === null;
    this.interval.textContent = missing
      ? ` ${score?.reason ?? "not measured at this layer"}`
      : score.interval
        ? ` ${intervalOf(score)}`
        : "";
    this.element.title = describeScore(score);
    const x = this.drawn?.scale("x");
    const y = this.drawn?.scale("y");
    if (!x || !y) return this.marks.replaceChildren();
    const [color, second] = lineColors(fleeting.get().dark);
    const at = axis === "layers" ? state.layer : (state.epoch ?? 0);
    const parts: SVGElement[] = [this.rule(x.apply(at), "here")];
    const own = missing ? null : this.heightOf(state, score.value as number);
    if (own !== null) parts.push(this.spot(x.apply(at), y.apply(own), color));
    const { other } = state;
    if (other && (axis === "layers" || other.model === state.model)) {
      const there = scoreOf(study, other, this.measure.name);
      const place =
        axis === "layers" ? placeOn(study, state.model, other, this.how) : (other.epoch ?? 0);
      const rank = seriesOf(study, state, axis).findIndex((each) => each.place === other);
      parts.push(this.rule(x.apply(place), "there"));
      const height = there?.value == null ? null : this.heightOf(other, there.value);
      if (height !== null)
        parts.push(this.spot(x.apply(place), y.apply(height), rank > 0 ? second : color));
    }
    this.marks.replaceChildren(...parts);
    if (this.pointed !== null) this.read(this.pointed);
  }

  /** Where a score stands on the upright axis; null where what it is drawn less of is not known. */
  private heightOf(place: Place, value: number): number | null {
    if (!this.how.less || this.shown?.axis === "epochs") return drawn(value, this.scale);
    const control = controlOf(this.ctx.study, place, this.measure.name);
    return control === null ? null : value - control;
  }

  /** What is beyond the axis, at its ends. */
  private beyond(width: number): SVGElement[] {
    const { below, above } = this.scale;
    const x = width - MARGIN.right;
    const label = (arrow: string, texts: string[], y: number) =>
      texts.length
        ? [
            s(
              "text",
              { class: "beyond", x, y, "data-testid": "beyond" },
              `${arrow} ${texts.join(", ")}`,
            ),
          ]
        : [];
    return [...label("\u2193", below, HEIGHT - 4), ...label("\u2191", above, MARGIN.top + 8)];
  }

  private rule(x: number, kind: string): SVGElement {
    return s("line", { class: kind, x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT });
  }

  private spot(cx: number, cy: number, fill: string): SVGElement {
    return s("circle", { cx, cy, r: 5, fill });
  }

  private go(event: MouseEvent): void {
    const at = this.stepAt(event);
    if (at === null) return;
    change(this.ctx, this.key.startsWith("layers") ? { layer: at } : { epoch: at });
  }
}

export interface Ticks {
  at: number[];
  /** What stands under them. */
  names: Map<number, string>;
  turned: boolean;
  /** The room that they take. */
  below: number;
  /** Between the blocks that stand in place of the layers. */
  blocks: number[];
}

/** Which ticks are named: all, or the blocks where these are too many, or some. */
export function ticksOf(names: string[], width: number): Ticks {
  const widths = names.map((name) => Math.min(LONGEST, [...name].length) * LETTER);
  const cell = (width - MARGIN.left - MARGIN.right) / Math.max(1, names.length - 1);
  const free = widths.every((own, i) => (own + (widths[i + 1] ?? 0)) / 2 + GAP <= cell);
  const all = [...names.keys()];
  if (free || names.length < 2)
    return { at: all, names: short(all, names), turned: false, below: BELOW, blocks: [] };
  const every = Math.max(1, Math.ceil(TURNED / cell));
  const blocks = every > 1 ? blocksOf(names) : [];
  const labels = new Map(blocks.map(({ name, start }) => [start, name]));
  const at = blocks.length ? apart([...labels.keys()], cell) : all.filter((i) => i % every === 0);
  const shown = short(
    at,
    names.map((name, i) => labels.get(i) ?? name),
  );
  const longest = Math.max(...[...shown.values()].map((name) => [...name].length * LETTER));
  return {
    at,
    names: shown,
    turned: true,
    below: BELOW + Math.round(longest * Math.sin((-ANGLE * Math.PI) / 180)),
    blocks: blocks.slice(1).map(({ start }) => start - 0.5),
  };
}

/** Those with room for a turned name after the one before. */
function apart(places: number[], cell: number): number[] {
  const kept: number[] = [];
  for (const place of places) {
    const last = kept.at(-1);
    if (last === undefined || (place - last) * cell >= TURNED) kept.push(place);
  }
  return kept;
}

function short(at: number[], names: string[]): Map<number, string> {
  const width = (text: string) => textWidth(text, 11, 400);
  return new Map(at.map((i) => [i, shortenMiddle(names[i] ?? "", LONGEST * LETTER, width)]));
}

/** Round shares for an axis of errors; null where it is none. */
function errorAxis(lines: { runs: Spot[][] }[], scale: Scale): number[] | null {
  if (!scale.errors) return null;
  const values = lines.flatMap(({ runs }) =>
    runs.flat().flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]),
  );
  if (!values.length) return null;
  const [low, high] = scale.domain ?? [Math.min(...values), Math.max(...values)];
  return errorTicks(scale, low, high, HEIGHT - MARGIN.top);
}

function axisNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return value.toExponential(0);
  return String(Number(value.toPrecision(4))).replace("-", "\u2212");
}
