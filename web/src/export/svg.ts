import { shorten } from "../data/format.ts";
import { s } from "../dom.ts";
import { DASHES, LINES } from "../map/overlay.ts";
import { COLUMN, FILL, FONT, HEAD, PAD, ROW, inks, layoutOf, lineAt } from "./layout.ts";
import type { Dot, Panel, Scene } from "./scene.ts";

/** A picture as SVG, with real circles, shapes and legend. */
export function toSvg(scene: Scene): string {
  const layout = layoutOf(scene);
  const { ground, ink, muted } = inks(scene.dark);
  const { width, height } = layout;
  const svg = s(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, "font-family": FONT, "font-size": 13, fill: ink },
    s("title", {}, scene.title),
    s("rect", { width, height, fill: ground }),
    s("text", { x: PAD, y: 28, "font-size": 16, "font-weight": 600 }, shorten(scene.title, 80)),
  );
  scene.panels.forEach((panel, i) => svg.append(panelOf(panel, layout.lefts[i] as number, muted, ground)));
  const legend = s("g", { transform: `translate(${layout.legendLeft} ${HEAD})` });
  legend.append(s("text", { y: 14, "font-weight": 600 }, shorten(scene.legend.title, 26)));
  scene.legend.entries.forEach(({ label, colour }, i) => {
    const x = Math.floor(i / layout.rows) * COLUMN;
    const y = ROW * (1 + (i % layout.rows)) + 14;
    legend.append(
      s("circle", { cx: x + 6, cy: y - 4, r: 5, fill: colour }),
      s("text", { x: x + 18, y }, shorten(label, 22)),
    );
  });
  scene.legend.lines.forEach((kind, i) => {
    const { x, y } = lineAt(layout, i);
    const dashes = DASHES[kind];
    legend.append(
      s("line", { x1: x, x2: x + 22, y1: y - 4, y2: y - 4, stroke: ink, "stroke-width": 1.5, "stroke-dasharray": dashes }),
      s("text", { x: x + 30, y, "font-size": 12 }, LINES[kind]),
    );
  });
  svg.append(legend);
  return new XMLSerializer().serializeToString(svg);
}

let clips = 0;

function panelOf(panel: Panel, left: number, muted: string, ground: string): SVGElement {
  const halo = { stroke: ground, "stroke-width": 3, "paint-order": "stroke" };
  const { width, height, affine } = panel;
  const { kx, ky, tx, ty } = affine;
  clips += 1;
  const clip = `clip-${clips}`;
  const place = `translate(${tx} ${ty}) scale(${kx} ${ky})`;
  const fills = panel.shapes
    .filter(({ filled }) => filled)
    .map(({ path, colour }) => s("path", { d: path, fill: colour, "fill-opacity": FILL }));
  const lines = panel.shapes.map(({ path, colour, kind }) =>
    s("path", {
      d: path,
      fill: "none",
      stroke: colour,
      "stroke-width": 1.5,
      "stroke-dasharray": DASHES[kind],
      "vector-effect": "non-scaling-stroke",
    }),
  );
  return s(
    "g",
    { transform: `translate(${left} ${HEAD})` },
    s("text", { x: 0, y: -14, "font-weight": 600 }, shorten(panel.title, 40), s("tspan", { fill: muted, "font-weight": 400, dx: 8 }, panel.subtitle)),
    s("clipPath", { id: clip }, s("rect", { width, height })),
    s(
      "g",
      { "clip-path": `url(#${clip})` },
      s("g", { transform: place }, ...fills),
      ...runs(panel.dots).map(({ colour, opacity, dots }) =>
        s(
          "g",
          { fill: colour, "fill-opacity": opacity },
          ...dots.map(({ x, y }) => s("circle", { cx: round(x), cy: round(y), r: round(panel.radius) })),
        ),
      ),
      s("g", { transform: place }, ...lines),
      ...panel.names.map(({ text, at: [x, y] }) =>
        s("text", { x, y, "text-anchor": "middle", "dominant-baseline": "central", "font-size": 15, ...halo, "font-weight": 600 }, text),
      ),
    ),
    s("rect", { width, height, fill: "none", stroke: muted, "stroke-opacity": 0.4 }),
  );
}

/** Neighbours in the order of drawing that look the same, to say it once. */
function runs(dots: Dot[]): { colour: string; opacity: number; dots: Dot[] }[] {
  const found: { colour: string; opacity: number; dots: Dot[] }[] = [];
  for (const dot of dots) {
    const current = found.at(-1);
    if (current && current.colour === dot.colour && current.opacity === dot.opacity) current.dots.push(dot);
    else found.push({ colour: dot.colour, opacity: dot.opacity, dots: [dot] });
  }
  return found;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
