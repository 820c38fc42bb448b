import { h } from "../dom.ts";
import { decode } from "./pack.ts";
import type { Picture, Thumbnails } from "./payload.ts";

/** Thumbnails out of sheets, each of which is decoded once. */
export class Sprites {
  private readonly spec: Thumbnails;
  private readonly urls = new Map<number, string>();

  constructor(spec: Thumbnails) {
    this.spec = spec;
  }

  /** An element that shows the picture of a point; its longer side is so many pixels. */
  thumb(point: number, side: number): HTMLElement {
    const { perSheet, columns, width, height, sheets } = this.spec;
    const sheet = Math.floor(point / perSheet);
    const element = h("span", { class: "thumb", "aria-hidden": "true" });
    if (sheet >= sheets.length) return element;
    const scale = side / Math.max(width, height);
    const place = point % perSheet;
    const x = (place % columns) * width * scale;
    const y = Math.floor(place / columns) * height * scale;
    const { style } = element;
    style.width = `${width * scale}px`;
    style.height = `${height * scale}px`;
    style.backgroundImage = `url("${this.url(sheet)}")`;
    style.backgroundSize = `${columns * width * scale}px auto`;
    style.backgroundPosition = `${-x}px ${-y}px`;
    return element;
  }

  destroy(): void {
    for (const url of this.urls.values()) URL.revokeObjectURL(url);
    this.urls.clear();
  }

  /** A short address instead of megabytes of data in every element's style. */
  private url(sheet: number): string {
    let url = this.urls.get(sheet);
    if (!url) {
      url = URL.createObjectURL(blobOf(this.spec.sheets[sheet] as string | Picture));
      this.urls.set(sheet, url);
    }
    return url;
  }
}

/** A picture as a data URI; only pictures are. */
export function uriOf(picture: string | Picture | null): string | null {
  if (picture === null || typeof picture === "string") return picture;
  let letters = "";
  for (const byte of picture.data) letters += String.fromCharCode(byte);
  return `data:${picture.type};base64,${btoa(letters)}`;
}

/** The content of a picture of points, which in a file is a base64 data URI. */
export function blobOf(uri: string | Picture): Blob {
  if (typeof uri !== "string") return new Blob([uri.data], { type: uri.type });
  const match = /^data:(image\/(?:png|webp|jpeg));base64,(.*)$/s.exec(uri);
  if (!match) throw new Error("a sheet of thumbnails is no base64 PNG, WebP or JPEG");
  return new Blob([decode(match[2] as string)], { type: match[1] as string });
}
