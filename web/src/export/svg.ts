import { shorten, shortenMiddle } from "../data/format.ts";
import { FONT, NAME_SIZE, textWidth } from "../map/names.ts";
import { s } from "../dom.ts";
import { markerOf, markerPath } from "../map/markers.ts";
import { DASHES, LINES } from "../map/overlay.ts";
import { FILL, PAD, entryAt, inks, layoutOf, lineAt } from "./layout.ts";
import type { Dot, Panel, Scene } from "./scene.ts";

/** A picture as SVG, with real circles, shapes and legend, and what its caption should say. */
export function toSvg(scene: Scene, caption = ""): string {
  const layout = layoutOf(scene);
  const { ground, ink } = inks(scene.dark);
  const { width, height, top } = layout;
  const { paper } = scene;
  const svg = s(
    "svg",
    {
      width: paper === null ? width : `${paper}in`,
      height: paper === null ? height : `${round((paper * height) / width)}in`,
      viewBox: `0 0 ${width} ${height}`,
      "font-family": FONT,
      "font-size": 13,
      fill: ink,
    },
    s("title", {}, scene.title),
    caption && s("desc", {}, caption),
    s("rect", { width, height, fill: ground }),
    // On paper a caption says it.
    paper === null &&
      s("text", { x: PAD, y: 28, "font-size": 16, "font-weight": 600 }, shorten(scene.title, 80)),
  );
  scene.panels.forEach((panel, i) =>
    svg.append(panelOf(panel, layout.lefts[i] as number, top, inks(scene.dark))),
  );
  const legend = s("g", { transform: `translate(${layout.legendLeft} ${layout.legendTop})` });
  legend.append(s("text", { y: 14, "font-weight": 600 }, shorten(scene.legend.title, 26)));
  scene.legend.entries.forEach(({ label, color, class: index }, i) => {
    const [x, y] = entryAt(layout, i);
    legend.append(
      scene.legend.shapes && index !== null
        ? s("path", { d: markerPath(markerOf(index), x + 6, y - 4, 6), ...EVEN, fill: color })
        : s("circle", { cx: x + 6, cy: y - 4, r: 5, fill: color }),
      s("text", { x: x + 18, y }, entryText(label, layout.column)),
    );
  });
  scene.legend.lines.forEach((kind, i) => {
    const { x, y } = lineAt(layout, i);
    const dashes = DASHES[kind];
    legend.append(
      s("line", {
        x1: x,
        x2: x + 22,
        y1: y - 4,
        y2: y - 4,
        stroke: ink,
        "stroke-width": 1.5,
        "stroke-dasharray": dashes,
      }),
      s("text", { x: x + 30, y }, LINES[kind]),
    );
  });
  svg.append(legend);
  return new XMLSerializer().serializeToString(svg);
}

/** The maps alone, for what has its own title and legend: as wide as there is room. */
export function mapsSvg({ dark, panels }: Scene): SVGElement {
  const { ink } = inks(dark);
  const gap = 20;
  const lefts = panels.map((_, i) =>
    panels.slice(0, i).reduce((sum, { width }) => sum + width + gap, 0),
  );
  const width = panels.reduce((sum, panel) => sum + panel.width + gap, -gap);
  const height = HEADING + Math.max(...panels.map((panel) => panel.height));
  const svg = s("svg", {
    viewBox: `-1 0 ${round(width + 2)} ${round(height + 1)}`,
    "font-family": FONT,
    "font-size": 13,
    fill: ink,
  });
  panels.forEach((panel, i) => svg.append(panelOf(panel, lefts[i] as number, HEADING, inks(dark))));
  return svg;
}

/** Room for the name of a map above it. */
const HEADING = 26;

/** A name in the legend, which has one column's room. */
export function entryText(label: string, column: number): string {
  return shortenMiddle(label, column - 26, (text) => textWidth(text, 13, 400));
}

/** The name of a map, and as much after it as there is room for. */
export function headOf({ title, subtitles, width }: Panel): { title: string; subtitle: string } {
  const short = shortenMiddle(title, width / 2, (text) => textWidth(text, 13, 600));
  const room = width - textWidth(short, 13, 600) - 10;
  const widthOf = (text: string) => textWidth(text, 13, 400);
  for (let count = subtitles.length; count > 1; count--) {
    const subtitle = subtitles.slice(0, count).join(" · ");
    if (widthOf(subtitle) <= room) return { title: short, subtitle };
  }
  return { title: short, subtitle: shortenMiddle(subtitles[0] ?? "", room, widthOf) };
}

/** How a ring keeps its hole. */
const EVEN = { "fill-rule": "evenodd" };

let clips = 0;

function panelOf(
  panel: Panel,
  left: number,
  top: number,
  { ground, ink, muted }: ReturnType<typeof inks>,
): SVGElement {
  const halo = { stroke: ground, "stroke-width": 3, "paint-order": "stroke" };
  const { width, height, affine } = panel;
  const { kx, ky, tx, ty } = affine;
  const { title, subtitle } = headOf(panel);
  clips += 1;
  const clip = `clip-${clips}`;
  const place = `translate(${tx} ${ty}) scale(${kx} ${ky})`;
  const fills = panel.shapes
    .filter(({ filled }) => filled)
    .map(({ path, color }) => s("path", { d: path, fill: color, "fill-opacity": FILL }));
  const lines = panel.shapes.map(({ path, color, kind }) =>
    s("path", {
      d: path,
      fill: "none",
      stroke: color,
      "stroke-width": 1.5,
      "stroke-dasharray": DASHES[kind],
      "vector-effect": "non-scaling-stroke",
    }),
  );
  return s(
    "g",
    { transform: `translate(${round(left)} ${top})` },
    s(
      "text",
      { x: 0, y: -10, "font-weight": 600 },
      title,
      s("tspan", { fill: muted, "font-weight": 400, dx: 8 }, subtitle),
    ),
    s("clipPath", { id: clip }, s("rect", { width: round(width), height: round(height) })),
    s(
      "g",
      { "clip-path": `url(#${clip})` },
      s("g", { transform: place }, ...fills),
      ...runs(panel.dots).map(({ color, opacity, dots }) =>
        s(
          "g",
          { fill: color, "fill-opacity": opacity },
          ...dots.map(({ x, y, marker }) =>
            marker === "circle"
              ? s("circle", { cx: round(x), cy: round(y), r: round(panel.radius) })
              : s("path", { d: markerPath(marker, x, y, panel.radius), ...EVEN }),
          ),
        ),
      ),
      s("g", { transform: place }, ...lines),
      ...panel.lines.map(([[x1, y1], [x2, y2]]) =>
        s("line", {
          x1: round(x1),
          y1: round(y1),
          x2: round(x2),
          y2: round(y2),
          stroke: ink,
          "stroke-opacity": 0.65,
        }),
      ),
      ...panel.rings.map(({ at: [cx, cy], r }) =>
        s("circle", {
          cx: round(cx),
          cy: round(cy),
          r,
          fill: "none",
          stroke: ink,
          "stroke-width": r > 5 ? 2.5 : 1.25,
        }),
      ),
      ...panel.names.flatMap(({ leader, color, firm }) => {
        if (!leader) return [];
        const [[x1, y1], [x2, y2]] = leader.map((point) => point.map(round)) as typeof leader;
        const place = { x1, y1, x2, y2 };
        return [
          s("line", { ...place, stroke: ground, "stroke-width": 3, "stroke-opacity": 0.7 }),
          s("line", {
            ...place,
            stroke: color,
            "stroke-width": 1.25,
            "stroke-dasharray": firm ? null : "2 3",
          }),
          s("circle", { cx: x2, cy: y2, r: 2.5, fill: color, stroke: ground, "stroke-width": 1 }),
        ];
      }),
      ...panel.names.map(({ text, at: [x, y], color, firm }) =>
        s(
          "text",
          {
            x: round(x),
            y: round(y),
            fill: color,
            "text-anchor": "middle",
            "dominant-baseline": "central",
            "font-size": NAME_SIZE,
            "font-weight": firm ? 650 : 400,
            "font-style": firm ? null : "italic",
            ...halo,
          },
          text,
        ),
      ),
    ),
    s("rect", {
      width: round(width),
      height: round(height),
      fill: "none",
      stroke: muted,
      "stroke-opacity": 0.4,
    }),
  );
}

/** Neighbors in the order of drawing that look the same, to say it once. */
function runs(dots: Dot[]): { color: string; opacity: number; dots: Dot[] }[] {
  const found: { color: string; opacity: number; dots: Dot[] }[] = [];
  for (const dot of dots) {
    const current = found.at(-1);
    if (current && current.color === dot.color && current.opacity === dot.opacity)
      current.dots.push(dot);
    else found.push({ color: dot.color, opacity: dot.opacity, dots: [dot] });
  }
  return found;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
