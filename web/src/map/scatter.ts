import createScatterplot, { createRenderer } from "regl-scatterplot";
import { reducedMotion } from "../dom.ts";
import type { Affine } from "./geometry.ts";
import { followPinch, followTouch, sparePage } from "./gestures.ts";
import { markerOf, markerRenderer, markerSize, shapedColor } from "./markers.ts";

/** All points as they are to be drawn. */
export interface Frame {
  x: Float32Array;
  y: Float32Array;
  categories: Uint16Array;
  colors: string[];
  /** Points outside a selection are 1 and drawn faintly; null where nothing is selected. */
  faint: Uint8Array | null;
  /** Points drawn last; null for the order of the data. */
  last: number[] | null;
  /** The only points drawn; null for all. */
  only: number[] | null;
  dark: boolean;
  /** Whether points have the shape of their category, too. */
  shapes: boolean;
  /** Milliseconds the points take to their new places; 0 for at once. */
  duration: number;
}

export interface ScatterEvents {
  hover(point: number | null): void;
  click(point: number): void;
  /** The points within, and its corners in the map's square. */
  lasso(
    points: number[],
    corners: [number, number][],
    event: Pick<MouseEvent, "ctrlKey" | "metaKey" | "altKey">,
  ): void;
  view(affine: Affine): void;
  settled(): void;
}

type Plot = ReturnType<typeof createScatterplot>;
type Renderer = ReturnType<typeof createRenderer>;

/** A lasso that ends where it began is followed by a click, for so many milliseconds not meant. */
const CLICK = 250;

/** Milliseconds of a change of the view. */
const GLIDE = 260;

/** How near the edge a point may be that is looked for, in pixels. */
const EDGE = 12;

/** A duration that can be cut short while a transition runs: the library reads it every frame. */
class Duration {
  milliseconds = 0;
  valueOf(): number {
    return this.milliseconds;
  }
}

/** regl-scatterplot, made to follow one frame after the other and to skip those overtaken. */
export class Scatter {
  private readonly plot: Plot;
  private readonly renderer: Renderer;
  private readonly canvas: HTMLCanvasElement;
  private readonly observer: ResizeObserver;
  private readonly cleanups: (() => void)[] = [];
  private readonly duration = new Duration();
  private readonly settled: () => void;
  private readonly seen: () => void;
  private gliding = 0;
  private waiting: Frame | null = null;
  private busy = false;
  private drawn: Frame | null = null;
  private gone = false;
  private lassoing = false;
  private lassoed = Number.NEGATIVE_INFINITY;
  private picked: number[] = [];
  private modifiers = { ctrlKey: false, metaKey: false, altKey: false };

  /** Throws where there is no WebGL with what the library needs. */
  constructor(canvas: HTMLCanvasElement, events: ScatterEvents) {
    this.canvas = canvas;
    this.settled = () => events.settled();
    this.seen = () => events.view(this.affine());
    const hidden = document.createElement("canvas");
    const box = canvas.getBoundingClientRect();
    this.renderer = createRenderer({ canvas: hidden });
    if (!this.renderer.isSupported) {
      this.renderer.destroy();
      throw new Error("WebGL lacks float textures");
    }
    this.fit(box.width, box.height);
    this.observer = new ResizeObserver(([entry]) => {
      if (entry) this.fit(entry.contentRect.width, entry.contentRect.height);
      this.sizePoints();
      requestAnimationFrame(() => this.gone || events.view(this.affine()));
    });
    this.observer.observe(canvas);
    this.plot = createScatterplot({
      canvas,
      renderer: markerRenderer(this.renderer),
      spatialIndexUseWorker: false,
      colorBy: "valueA",
      opacityBy: "valueB",
      opacity: [0.85, 0.07],
      deselectOnDblClick: false,
      deselectOnEscape: false,
      lassoInitiator: false,
      pointOutlineWidth: 0,
      pointSizeSelected: 0,
      // Turning a map has no meaning here; the keys are left to changes of a selection.
      actionKeyMap: { lasso: "shift" },
    } as Parameters<typeof createScatterplot>[0]);
    this.listen(events);
  }

  show(frame: Frame): void {
    this.waiting = frame;
    this.duration.milliseconds = 0;
    if (!this.busy) void this.work();
  }

  setLasso(on: boolean): void {
    void this.plot.set({ mouseMode: on ? "lasso" : "panZoom" });
  }

  zoom(factor: number): void {
    const { view } = this.camera;
    const [scale, x, y] = [
      factor * (view[0] as number),
      factor * (view[12] as number),
      factor * (view[13] as number),
    ];
    this.glide([scale, x, y]);
  }

  /** How near one looks, and how far the middle is moved. */
  get zoomed(): [number, number, number] {
    const { view } = this.camera;
    return [view[0] as number, view[12] as number, view[13] as number];
  }

  /** Look so at once. */
  look([scale, x, y]: [number, number, number]): void {
    cancelAnimationFrame(this.gliding);
    this.plot.view([scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, 1, 0, x, y, 0, 1]);
    this.seen();
  }

  reset(): void {
    this.glide([1, 0, 0]);
  }

  /** Move the view so far that a place of the map's square is within it. */
  reveal(x: number, y: number): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const { kx, ky, tx, ty } = this.affine();
    const [left, top] = [tx + kx * x, ty + ky * y];
    if (left >= EDGE && top >= EDGE && left <= width - EDGE && top <= height - EDGE) return;
    const scale = this.camera.view[0] as number;
    this.glide([scale, -scale * x, -scale * y]);
  }

  /** Look so many times nearer, what lay under one place of the canvas then under another. */
  private pinch(factor: number, from: [number, number], to: [number, number]): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const { view } = this.camera;
    const old = view[0] as number;
    const scale = Math.min(50, Math.max(0.5, old * factor));
    const half = height / 2;
    const place = ([x, y]: [number, number]) => [(x - width / 2) / half, (half - y) / half];
    const [before, after] = [place(from), place(to)];
    const [x, y] = [0, 1].map((i) => {
      const at = ((before[i] as number) - (view[12 + i] as number)) / old;
      return (after[i] as number) - scale * at;
    });
    this.plot.view([scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, 1, 0, x as number, y as number, 0, 1]);
    this.seen();
  }

  /** Move the view smoothly to a scale and a shift. */
  private glide(to: [number, number, number]): void {
    cancelAnimationFrame(this.gliding);
    const { view } = this.camera;
    const from = [view[0] as number, view[12] as number, view[13] as number];
    const begin = performance.now();
    const step = (now: number) => {
      if (this.gone) return;
      const share = reducedMotion() ? 1 : Math.min(1, Math.max(0, (now - begin) / GLIDE));
      const eased = 1 - (1 - share) ** 3;
      // Scales multiply: so their logarithms go evenly, and the shift with the scale.
      const scale = (from[0] as number) ** (1 - eased) * to[0] ** eased;
      const along =
        from[0] === to[0] ? eased : (scale - (from[0] as number)) / (to[0] - (from[0] as number));
      const [x, y] = [1, 2].map(
        (i) => (from[i] as number) + along * ((to[i] as number) - (from[i] as number)),
      );
      this.plot.view([scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, 1, 0, x as number, y as number, 0, 1]);
      this.seen();
      if (share < 1) this.gliding = requestAnimationFrame(step);
    };
    this.gliding = requestAnimationFrame(step);
  }

  /** How the map's square lies on the canvas, in CSS pixels. */
  affine(): Affine {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const view = this.camera.view;
    return affineOf(view, width, height);
  }

  destroy(): void {
    this.gone = true;
    this.observer.disconnect();
    for (const cleanup of this.cleanups) cleanup();
    const gl = this.renderer.canvas.getContext("webgl");
    this.plot.destroy();
    this.renderer.destroy();
    gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }

  private get camera(): { view: Float32Array; scale(by: number[], at: number[]): void } {
    return this.plot.get("camera") as {
      view: Float32Array;
      scale(by: number[], at: number[]): void;
    };
  }

  private fit(width: number, height: number): void {
    this.renderer.resize(Math.max(1, width), Math.max(1, height));
    this.renderer.refresh();
  }

  /** Points are as large as suits the map's new height. */
  private sizePoints(): void {
    const { drawn } = this;
    if (!drawn) return;
    const size = pointSize(drawn.only?.length ?? drawn.x.length, this.canvas.clientHeight);
    const pointSizeNow = drawn.shapes ? markerSize(size) : size;
    if (this.plot.get("pointSize") !== pointSizeNow)
      void this.plot.set({ pointSize: pointSizeNow });
  }

  private async work(): Promise<void> {
    this.busy = true;
    while (this.waiting && !this.gone) {
      const frame = this.waiting;
      this.waiting = null;
      this.duration.milliseconds = frame.duration;
      await this.draw(frame);
      this.drawn = frame;
    }
    this.busy = false;
    if (!this.gone) this.settled();
  }

  private async draw(frame: Frame): Promise<void> {
    const { x, y, categories, faint, drawn } = { ...frame, drawn: this.drawn };
    const points = Array.from(x, (_, i) => [
      x[i] as number,
      y[i] as number,
      categories[i] as number,
      faint ? (faint[i] as number) : 0,
    ]);
    const colors = frame.shapes
      ? frame.colors.map((color, i) => shapedColor(color, markerOf(i)))
      : frame.colors;
    const size = pointSize(frame.only?.length ?? points.length, this.canvas.clientHeight);
    void this.plot.set({
      // A palette of one color would be taken for one that does not depend on the points.
      pointColor: colors.length > 1 ? colors : [...colors, ...colors],
      pointSize: frame.shapes ? markerSize(size) : size,
      backgroundColor: frame.dark ? "#14171a" : "#ffffff",
      lassoColor: frame.dark ? "#8ab4ff" : "#1f4fc4",
      pointOrder: frame.last && orderOf(points.length, frame.last),
    });
    const moves = drawn !== null && frame.duration > 0 && drawn.x.length === x.length;
    await this.plot.draw(points, {
      transition: moves,
      transitionDuration: this.duration as unknown as number,
      transitionEasing: easeInOut,
      zDataType: "categorical",
      wDataType: "categorical",
      ...(frame.only ? { filter: frame.only } : {}),
    });
  }

  private listen(events: ScatterEvents): void {
    const { plot } = this;
    plot.subscribe("pointOver", (point) => this.lassoing || events.hover(point));
    plot.subscribe("pointOut", () => events.hover(null));
    plot.subscribe("lassoStart", () => {
      this.lassoing = true;
      this.picked = [];
      events.hover(null);
    });
    plot.subscribe("select", ({ points }) => {
      if (this.lassoing) this.picked = [...points];
      else if (points.length === 1 && performance.now() - this.lassoed > CLICK) {
        events.click(points[0] as number);
      }
      plot.deselect({ preventEvent: true });
    });
    plot.subscribe("lassoEnd", ({ coordinates }) => {
      if (!this.lassoing) return;
      this.lassoing = false;
      this.lassoed = performance.now();
      events.lasso(this.picked, coordinates as unknown as [number, number][], this.modifiers);
    });
    plot.subscribe("view", () => this.gone || events.view(this.affine()));
    const remember = ({ ctrlKey, metaKey, altKey }: MouseEvent) => {
      this.modifiers = { ctrlKey, metaKey, altKey };
    };
    const whole = () => this.reset();
    const halt = () => cancelAnimationFrame(this.gliding);
    this.canvas.addEventListener("dblclick", whole);
    this.canvas.addEventListener("pointerdown", halt);
    this.canvas.addEventListener("wheel", halt, { passive: true });
    this.cleanups.push(() => {
      halt();
      this.canvas.removeEventListener("dblclick", whole);
      this.canvas.removeEventListener("pointerdown", halt);
      this.canvas.removeEventListener("wheel", halt);
    });
    addEventListener("mouseup", remember, true);
    this.cleanups.push(() => removeEventListener("mouseup", remember, true));
    this.cleanups.push(followTouch(this.canvas, () => plot.get("mouseMode") === "lasso"));
    this.cleanups.push(
      followPinch(this.canvas, (factor, from, to) => this.pinch(factor, from, to)),
    );
    this.cleanups.push(sparePage(this.canvas));
  }
}

/** All points, those named at the end, where they are drawn over the others. */
export function orderOf(count: number, last: number[]): number[] {
  const late = new Set(last);
  const order: number[] = [];
  for (let i = 0; i < count; i++) if (!late.has(i)) order.push(i);
  return order.concat(last);
}

export function affineOf(view: ArrayLike<number>, width: number, height: number): Affine {
  const [scale, x, y] = [view[0] as number, view[12] as number, view[13] as number];
  const half = height / 2;
  return { kx: scale * half, ky: -scale * half, tx: width / 2 + x * half, ty: half - y * half };
}

/** Many points are drawn small, a few large; and larger on a map as high as a wall. */
export function pointSize(count: number, height = 0): number {
  return largeness(height) * Math.min(9, Math.max(2, 34 / Math.max(1, count) ** 0.23));
}

/** Pixels of a map's height from which on its points and names grow with it, and how far. */
const [USUAL, LARGEST] = [900, 2];

/** How many times as large as usual points and names are on a map of this height in pixels. */
export function largeness(height: number): number {
  return Math.min(LARGEST, Math.max(1, height / USUAL));
}

/** How much larger points are drawn when one looks nearer, as regl-scatterplot has it. */
export function pointZoom({ kx }: Affine, height: number): number {
  return Math.asinh(Math.max(1, kx / (height / 2))) / Math.asinh(1);
}

function easeInOut(t: number): number {
  // A duration cut to nothing divides by it.
  if (!(t < 1)) return 1;
  return t < 0.5 ? 4 * t ** 3 : 1 - (-2 * t + 2) ** 3 / 2;
}
