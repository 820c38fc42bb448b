import { shorten } from "../data/format.ts";
import { FONT, NAME_SIZE } from "../map/names.ts";
import { entryText, headOf } from "./svg.ts";
import { type Marker, markerOf, markerPath } from "../map/markers.ts";
import { DASHES, LINES } from "../map/overlay.ts";
import { FILL, PAD, entryAt, inks, layoutOf, lineAt } from "./layout.ts";
import type { Overlay } from "../state/view-state.ts";
import type { Panel, Scene } from "./scene.ts";

/** Pixels of the picture to one of the screen, so that it can be printed. */
const SCALE = 2;
/** Dots to an inch of a picture for paper. */
const DENSITY = 300;

/** A picture as PNG. */
export function toPng(scene: Scene): Promise<Blob> {
  const layout = layoutOf(scene);
  const { ground, ink } = inks(scene.dark);
  const canvas = document.createElement("canvas");
  const { paper } = scene;
  const scale = paper === null ? SCALE : (paper * DENSITY) / layout.width;
  canvas.width = Math.round(layout.width * scale);
  canvas.height = Math.round(layout.height * scale);
  const pen = canvas.getContext("2d");
  if (!pen) return Promise.reject(new Error("the browser gives no canvas to draw on"));
  pen.scale(scale, scale);
  pen.fillStyle = ground;
  pen.fillRect(0, 0, layout.width, layout.height);
  if (paper === null) write(pen, shorten(scene.title, 80), PAD, 28, ink, `600 16px ${FONT}`);
  scene.panels.forEach((panel, i) =>
    drawPanel(pen, panel, layout.lefts[i] as number, layout.top, inks(scene.dark)),
  );
  pen.save();
  pen.translate(layout.legendLeft, layout.legendTop);
  write(pen, shorten(scene.legend.title, 26), 0, 14, ink, `600 13px ${FONT}`);
  scene.legend.entries.forEach(({ label, color, class: index }, i) => {
    const [x, y] = entryAt(layout, i);
    const marker = scene.legend.shapes && index !== null ? markerOf(index) : "circle";
    if (color !== "none") mark(pen, marker, x + 6, y - 4, marker === "circle" ? 5 : 6, color);
    write(pen, entryText(label, layout.column), x + 18, y, ink, `13px ${FONT}`);
  });
  scene.legend.lines.forEach((kind, i) => {
    const { x, y } = lineAt(layout, i);
    pen.strokeStyle = ink;
    pen.lineWidth = 1.5;
    pen.setLineDash(dashes(kind));
    pen.beginPath();
    pen.moveTo(x, y - 4);
    pen.lineTo(x + 22, y - 4);
    pen.stroke();
    write(pen, LINES[kind], x + 30, y, ink, `13px ${FONT}`);
  });
  pen.restore();
  const drawn = new Promise<Blob>((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))));
  });
  return paper === null ? drawn : drawn.then((blob) => dense(blob, DENSITY));
}

/** Bytes of a PNG before which its density may stand: the signature, and the chunk of its size. */
const START = 33;
const INCH = 0.0254;

/** Write into a PNG how many dots it has to an inch, so that it has its size on paper. */
async function dense(blob: Blob, density: number): Promise<Blob> {
  const chunk = new DataView(new ArrayBuffer(21));
  chunk.setUint32(0, 9);
  [..."pHYs"].forEach((letter, i) => chunk.setUint8(4 + i, letter.charCodeAt(0)));
  chunk.setUint32(8, Math.round(density / INCH));
  chunk.setUint32(12, Math.round(density / INCH));
  chunk.setUint8(16, 1); // dots to a meter
  chunk.setUint32(17, crc32(new Uint8Array(chunk.buffer, 4, 13)));
  const bytes = await blob.arrayBuffer();
  return new Blob([bytes.slice(0, START), chunk.buffer, bytes.slice(START)], { type: blob.type });
}

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function drawPanel(
  pen: CanvasRenderingContext2D,
  panel: Panel,
  left: number,
  top: number,
  { ground, ink, muted }: ReturnType<typeof inks>,
): void {
  const { width, height, affine, radius } = panel;
  pen.save();
  pen.translate(left, top);
  const { title, subtitle } = headOf(panel);
  write(pen, title, 0, -10, ink, `600 13px ${FONT}`);
  const offset = pen.measureText(title).width + 8;
  write(pen, subtitle, offset, -10, muted, `13px ${FONT}`);
  pen.strokeStyle = muted;
  pen.globalAlpha = 0.4;
  pen.strokeRect(0, 0, width, height);
  pen.beginPath();
  pen.rect(0, 0, width, height);
  pen.clip();
  const place = new DOMMatrix([affine.kx, 0, 0, affine.ky, affine.tx, affine.ty]);
  const outlines = panel.shapes.map(({ path }) => {
    const outline = new Path2D();
    outline.addPath(new Path2D(path), place);
    return outline;
  });
  panel.shapes.forEach(({ color, filled }, i) => {
    pen.fillStyle = color;
    pen.globalAlpha = FILL;
    if (filled) pen.fill(outlines[i] as Path2D);
  });
  for (const { x, y, color, opacity, marker } of panel.dots) {
    pen.globalAlpha = opacity;
    mark(pen, marker, x, y, radius, color);
  }
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  panel.shapes.forEach(({ color, kind }, i) => {
    pen.strokeStyle = color;
    pen.setLineDash(dashes(kind));
    pen.stroke(outlines[i] as Path2D);
  });
  pen.setLineDash([]);
  pen.strokeStyle = ink;
  pen.lineWidth = 1;
  pen.globalAlpha = 0.65;
  for (const [from, to] of panel.lines) {
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
  }
  pen.globalAlpha = 1;
  for (const { at, r } of panel.rings) {
    pen.lineWidth = r > 5 ? 2.5 : 1.25;
    pen.beginPath();
    pen.arc(...at, r, 0, 2 * Math.PI);
    pen.stroke();
  }
  for (const { leader, color, firm } of panel.names) {
    if (!leader) continue;
    const [from, to] = leader;
    for (const [stroke, wide, opacity] of [
      [ground, 3, 0.7],
      [color, 1.25, 1],
    ] as const) {
      pen.setLineDash(firm || stroke === ground ? [] : [2, 3]);
      pen.strokeStyle = stroke;
      pen.lineWidth = wide;
      pen.globalAlpha = opacity;
      pen.beginPath();
      pen.moveTo(...from);
      pen.lineTo(...to);
      pen.stroke();
    }
    disc(pen, ...to, 3.5, ground);
    disc(pen, ...to, 2.5, color);
  }
  pen.setLineDash([]);
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (const {
    text,
    at: [x, y],
    color,
    firm,
  } of panel.names) {
    pen.font = `${firm ? "650" : "italic 400"} ${NAME_SIZE}px ${FONT}`;
    pen.lineJoin = "round";
    pen.strokeStyle = ground;
    pen.lineWidth = 3.5;
    pen.strokeText(text, x, y);
    write(pen, text, x, y, color, pen.font);
  }
  pen.restore();
}

function dashes(kind: Overlay): number[] {
  return DASHES[kind]?.split(" ").map(Number) ?? [];
}

function mark(
  pen: CanvasRenderingContext2D,
  marker: Marker,
  x: number,
  y: number,
  r: number,
  color: string,
): void {
  if (marker === "circle") return disc(pen, x, y, r, color);
  pen.fillStyle = color;
  pen.fill(new Path2D(markerPath(marker, x, y, r)), "evenodd");
}

function disc(pen: CanvasRenderingContext2D, x: number, y: number, r: number, color: string): void {
  pen.fillStyle = color;
  pen.beginPath();
  pen.arc(x, y, r, 0, 2 * Math.PI);
  pen.fill();
}

function write(
  pen: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  color: string,
  font: string,
): void {
  pen.font = font;
  pen.fillStyle = color;
  pen.fillText(text, x, y);
}
