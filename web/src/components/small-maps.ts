import { type Context, deferred } from "../context.ts";
import type { Coords } from "../data/pack.ts";
import type { Place, Study } from "../data/study.ts";
import { type Coloring, coloring, makeColoring, shown } from "../map/coloring.ts";
import type { ViewState } from "../state/view-state.ts";

/** Most dots of a small map. */
const DOTS = 1500;
/** Of more points small maps wait until they are asked for: all layers would be decoded. */
const OPEN = 150_000;

/** Whether small maps are shown unasked. */
export function showsUnasked(study: Study): boolean {
  return study.n <= OPEN && matchMedia("(min-width: 700px)").matches;
}

interface Small {
  canvas: HTMLCanvasElement;
  place: Place;
  /** With what it was drawn. */
  key: string;
}

/** Small maps in the colors of the large one, drawn when they come into sight. */
export class SmallMaps {
  private readonly ctx: Context;
  private readonly isOpen: () => boolean;
  private readonly maps = new Map<Element, Small>();
  private readonly visible: IntersectionObserver;
  private dots: number[] | null = null;
  /** Draw those in sight anew, soon. */
  readonly repaint: () => void;

  constructor(ctx: Context, isOpen: () => boolean) {
    this.ctx = ctx;
    this.isOpen = isOpen;
    this.visible = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) if (isIntersecting) this.paint(target);
      },
      { rootMargin: "200px" },
    );
    this.repaint = deferred(ctx, () => {
      this.dots = null;
      // What is in sight is told anew.
      for (const element of this.maps.keys()) {
        this.visible.unobserve(element);
        this.visible.observe(element);
      }
    });
    ctx.onDestroy(
      ctx.store.subscribe((now, before) => {
        if (
          now.color !== before.color ||
          now.classes !== before.classes ||
          now.only !== before.only
        )
          this.repaint();
      }),
    );
    ctx.onDestroy(
      ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && this.repaint()),
    );
    ctx.onDestroy(() => this.visible.disconnect());
  }

  add(element: Element, canvas: HTMLCanvasElement, place: Place): void {
    this.maps.set(element, { canvas, place, key: "" });
  }

  clear(): void {
    this.visible.disconnect();
    this.maps.clear();
  }

  private paint(element: Element): void {
    const found = this.maps.get(element);
    if (!found || !this.isOpen()) return;
    const { study } = this.ctx;
    const state = this.ctx.store.get();
    const { dark } = this.ctx.fleeting.get();
    const key = [state.color, dark, state.classes, state.only.length, state.only[0]].join("|");
    if (found.key === key) return;
    found.key = key;
    const coords = study.coords(found.place);
    if (!coords) return;
    this.dots ??= dotsOf(study, state);
    const one = { ...state, ...found.place };
    // Those of neighbors are of each layer, and would push that of the map out of its memory.
    const colors =
      state.color === "hit" ? makeColoring(study, one, dark) : coloring(study, one, dark);
    draw(found.canvas, coords, colors, this.dots);
  }
}

/** Some of the points that are shown, from all over. */
function dotsOf(study: Study, state: ViewState): number[] {
  const all = shown(study, state);
  const count = all?.length ?? study.n;
  const step = Math.max(1, count / DOTS);
  return Array.from({ length: Math.min(count, DOTS) }, (_, i) => {
    const at = Math.floor(i * step);
    return all ? (all[at] as number) : at;
  });
}

function draw(
  canvas: HTMLCanvasElement,
  { x, y }: Coords,
  { categories, colors }: Coloring,
  dots: number[],
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const side = canvas.width;
  const size = dots.length > 600 ? 2.5 : 4;
  context.clearRect(0, 0, side, side);
  for (const i of dots) {
    context.fillStyle = colors[categories[i] as number] as string;
    const left = (((x[i] as number) + 1) / 2) * side;
    const top = ((1 - (y[i] as number)) / 2) * side;
    context.fillRect(left - size / 2, top - size / 2, size, size);
  }
}
