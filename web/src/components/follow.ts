import { type Context, change, deferred } from "../context.ts";
import { type Stream, greatest, streamOf, travels, untangling } from "../data/follow.ts";
import { formatCount, formatPercent, shorten, shortenMiddle } from "../data/format.ts";
import { classColors } from "../data/palette.ts";
import { bdi, freshId, h, s } from "../dom.ts";
import { textWidth } from "../map/names.ts";
import { quote } from "../state/search.ts";
import type { ViewState } from "../state/view-state.ts";
import { placeName } from "./places.ts";

/** How many of those that moved most are shown: pictures, or words. */
const PICTURES = 14;
/** Of so many points what is below the map is drawn with it. */
const AT_ONCE = 20_000;
const WORDS = 6;
const [WIDTH, HEIGHT] = [640, 180];
/** Pixels of a layer's name before its bar. */
const ROOM = 104;

/** How points and classes go through the layers. */
export function follow(ctx: Context): HTMLElement {
  const id = freshId("follow");
  const when = h("div", { class: "when", "data-testid": "untangling" });
  const far = h("div", { class: "far", "data-testid": "most-moved" });
  const stream = classStream(ctx);
  const element = h(
    "section",
    { class: "follow", "aria-labelledby": id, "data-testid": "follow" },
    h("h2", { id }, "Through the layers"),
    h("div", { class: "columns" }, stream.element, h("div", {}, when, far)),
  );
  const draw = () => {
    const state = ctx.store.get();
    when.replaceChildren(...untangled(ctx, state));
    far.replaceChildren(...moved(ctx, state));
    stream.draw();
    element.hidden = !when.firstChild && !far.firstChild && stream.element.hidden;
  };
  // Of very many points it waits until it is near: all layers would be decoded at once.
  let near = ctx.study.n <= AT_ONCE;
  const later = deferred(ctx, () => near && draw());
  const approach = new IntersectionObserver(
    ([entry]) => {
      if (!entry?.isIntersecting || near) return;
      near = true;
      later();
    },
    { rootMargin: "400px" },
  );
  approach.observe(element);
  ctx.onDestroy(() => approach.disconnect());
  ctx.onDestroy(ctx.store.watch(["model", "epoch", "layer"], later));
  ctx.onDestroy(ctx.fleeting.subscribe((now, before) => now.dark !== before.dark && later()));
  return element;
}

/** From which layer on how many points are with their class; each row selects them. */
function untangled(ctx: Context, state: ViewState): HTMLElement[] {
  const found = untangling(ctx.study, state);
  if (!found) return [];
  const { layers, since, again } = found;
  const counts = new Array<number>(layers.length).fill(0);
  let [never, back] = [0, 0];
  for (let i = 0; i < since.length; i++) {
    if (!ctx.study.isLabeled(i)) continue;
    const at = since[i] as number;
    if (at >= 0) counts[at] = (counts[at] as number) + 1;
    else if (again[i]) back++;
    else never++;
  }
  const { names } = ctx.study.shortNames(state.model);
  const most = Math.max(1, never, back, ...counts);
  const row = (label: string, count: number, query: string) => {
    const bar = h("i", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${(100 * count) / most}%`;
    const button = h(
      "button",
      {
        type: "button",
        title: `Select these points: ${query}`,
        "data-testid": `since-${label}`,
        onclick: () => select(ctx, query),
      },
      h(
        "span",
        { class: "name" },
        bdi(shortenMiddle(label, ROOM, (text) => textWidth(text, 13, 400))),
      ),
      h("span", { class: "track" }, bar),
      h("span", { class: "count" }, formatCount(count)),
    );
    button.disabled = count === 0;
    return h("li", {}, button);
  };
  const shown = layers.flatMap((layer, at) => {
    const { name } = ctx.study.listed({ model: state.model, layer });
    // Of very many layers those where something happens.
    if (layers.length > 14 && !counts[at]) return [];
    return [row(names[layer] ?? name, counts[at] as number, `untangled at ${quote(name)}`)];
  });
  return [
    h("h3", {}, "With their class from this layer on"),
    h(
      "p",
      { class: "hint" },
      "At least half of a point’s neighbors are of its class there and at all layers after.",
    ),
    h(
      "ul",
      { class: "since" },
      ...shown,
      row("tangled again", back, "tangled again"),
      row("never", never, "never untangled"),
    ),
  ];
}

function select(ctx: Context, query: string): void {
  ctx.find(query);
  ctx.reveal(null);
}

/** The points that go farthest from layer to layer. */
function moved(ctx: Context, state: ViewState): HTMLElement[] {
  const { study, sprites } = ctx;
  const far = travels(study, state);
  if (!far) return [];
  const items = greatest(far, sprites ? PICTURES : WORDS).map((point) => {
    const name = study.labelName(point);
    const snippet = study.payload.snippets?.[point] ?? `#${study.sampleOf(point)}`;
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          title: `Sample ${study.sampleOf(point)}, ${name}: hold this point and show its trail`,
          "data-testid": `moved-${point}`,
          onclick: () => {
            change(ctx, { focus: point, trails: true });
            ctx.reveal(point);
          },
        },
        sprites?.thumb(point, 44) ?? h("span", { class: "snippet" }, bdi(shorten(snippet, 50))),
        h("span", { class: "spoken" }, `Sample ${study.sampleOf(point)}`),
        h("small", {}, bdi(shorten(name, 10)), ` · ${formatPercent(far[point], 0)}`),
      ),
    );
  });
  return [
    h("h3", {}, "Moved most over the layers"),
    h("p", { class: "hint" }, "All steps from map to map together, as a share of the map’s width."),
    h("ul", { class: "strip" }, ...items),
  ];
}

/** Of which classes a class's neighbors are, as a stream over the layers. */
function classStream(ctx: Context): { element: HTMLElement; draw: () => void } {
  const { study } = ctx;
  const picture = h("div", {});
  const select = h(
    "select",
    {
      "aria-label": "Class whose neighbors are followed",
      "data-testid": "stream-class",
      onchange: () => draw(),
    },
    ...study.classNames.map((name, i) => h("option", { value: i, dir: "auto" }, name)),
  );
  let chosen = false;
  select.addEventListener("change", () => (chosen = true));
  const element = h(
    "div",
    { class: "stream", "data-testid": "stream" },
    h("div", { class: "title-row" }, h("h3", {}, "The neighbors of class"), select),
    picture,
  );
  const draw = () => {
    const state = ctx.store.get();
    if (!chosen) select.value = String(mostChanged(ctx, state));
    const found = streamOf(study, state, Number(select.value));
    element.hidden = study.values !== null || found.layers.length < 2;
    if (!element.hidden) picture.replaceChildren(...streamPicture(ctx, state, found));
  };
  return { element, draw };
}

/** The class with the fewest neighbors of its own at the first layer: it has the farthest to go. */
function mostChanged({ study }: Context, { model, epoch }: ViewState): number {
  const layer = study
    .model(model)
    .layers.findIndex((_, at) => study.confusion({ model, layer: at, epoch }));
  const confusion = layer < 0 ? null : study.confusion({ model, layer, epoch });
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  study.counts.forEach((count, at) => {
    const share = count ? (confusion?.at(at, at) ?? 1) : Number.POSITIVE_INFINITY;
    if (share < least) [best, least] = [at, share];
  });
  return best;
}

function streamPicture(
  ctx: Context,
  state: ViewState,
  { layers, classes, shares }: Stream,
): HTMLElement[] {
  const { study, fleeting } = ctx;
  const tints = classColors(study.classNames.length, fleeting.get().dark);
  const { names } = study.shortNames(state.model);
  const x = (at: number) => (at / (layers.length - 1)) * WIDTH;
  const sums = shares.map((row) => {
    let sum = 0;
    return [0, ...row.map((share) => (sum += share))];
  });
  const y = (share: number) => HEIGHT - share * HEIGHT;
  const band = (of: number) => {
    const edge = (side: 0 | 1) =>
      sums.map((row, at): [number, number] => [x(at), y(row[of + side] ?? 0)]);
    return `${curve(edge(1), "M")}${curve(edge(0).reverse(), "L")}Z`;
  };
  const name = (index: number) => (index < 0 ? "other classes" : (study.classNames[index] ?? ""));
  const bands = classes.map((index, of) =>
    s("path", { d: band(of), fill: index < 0 ? "var(--muted)" : (tints[index] ?? "") }),
  );
  const here = layers.indexOf(state.layer);
  const said = layers.map((layer, at) => {
    const own = formatPercent(shares[at]?.[0], 0);
    return `${names[layer] ?? ""} ${own}`;
  });
  const svg = s(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `Neighbors of its own class: ${said.join(", ")}`,
    },
    ...bands,
    here >= 0 && s("line", { class: "here", x1: x(here), x2: x(here), y1: 0, y2: HEIGHT }),
  );
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    const at = Math.round(
      ((event.clientX - box.left) / Math.max(1, box.width)) * (layers.length - 1),
    );
    const layer = layers[Math.min(layers.length - 1, Math.max(0, at))];
    if (layer !== undefined) change(ctx, { layer });
  });
  const ends = [layers[0], layers.at(-1)].map((layer) => names[layer as number] ?? "");
  const [first, last] = [shares[0], shares.at(-1)];
  const entries = classes.map((index, of) => {
    const dot = h("i", { class: "dot" });
    dot.style.background = index < 0 ? "var(--muted)" : (tints[index] ?? "");
    const change = `${formatPercent(first?.[of], 0)} → ${formatPercent(last?.[of], 0)}`;
    return h("li", {}, dot, bdi(shorten(name(index), 24)), h("span", { class: "count" }, change));
  });
  return [
    svg as unknown as HTMLElement,
    h("p", { class: "ends" }, ...ends.map((text) => h("span", {}, bdi(text)))),
    h("ul", { class: "stream-key" }, ...entries),
    h(
      "p",
      { class: "hint" },
      `Which share of its neighbors is of which class, from the first layer to the last. `,
      h("span", { class: "on-screen" }, `Line: ${placeName(study, state)}.`),
    ),
  ];
}

/** A smooth line through places from left to right, or back. */
function curve(places: [number, number][], begin: "M" | "L"): string {
  return places
    .map(([px, py], at) => {
      const before = places[at - 1];
      const end = `${px.toFixed(1)} ${py.toFixed(1)}`;
      if (!before) return `${begin}${end}`;
      const middle = ((before[0] + px) / 2).toFixed(1);
      return `C${middle} ${before[1].toFixed(1)} ${middle} ${py.toFixed(1)} ${end}`;
    })
    .join("");
}
