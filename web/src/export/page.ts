import { h } from "../dom.ts";
import { type SavedView, settleViews } from "../data/saved-views.ts";

/** What a saved page holds beside what it was made with. */
export interface Saved {
  views: SavedView[];
  /** What it shows first, as a link's fragment. */
  start: string;
}

const ID = "unknot-saved";
/** What a page is made of; the rest is of the browser's additions, or was drawn. */
const PARTS = {
  head: "meta, title, style",
  body: "#unknot, noscript, #unknot-data, script[type=module]",
};

/** The page of this document as it was before anything was drawn, with what is saved in it. */
export function pageWith(document: Document, opening: Node, saved: Saved): string {
  const copy = document.documentElement.cloneNode(true) as HTMLElement;
  for (const element of [copy, ...copy.querySelectorAll("body")])
    for (const { name } of [...element.attributes])
      if (name !== "lang") element.removeAttribute(name);
  for (const place of ["head", "body"] as const) {
    for (const part of [...(copy.querySelector(place)?.children ?? [])])
      if (!part.matches(PARTS[place])) part.remove();
  }
  const [, ...added] = copy.querySelectorAll("head > style");
  for (const style of added) style.remove();
  copy.querySelector("#unknot")?.replaceWith(opening.cloneNode(true));
  // No text can end the element, whatever it holds.
  const text = JSON.stringify(saved).replaceAll("<", "\\u003c");
  copy
    .querySelector("#unknot-data")
    ?.before(h("script", { type: "application/json", id: ID }, text), "\n");
  return `<!doctype html>\n${copy.outerHTML}\n`;
}

/** What was saved in the page of a document; nothing where it is broken. */
export function savedIn(document: Document): Saved {
  const none: Saved = { views: [], start: "" };
  const text = document.getElementById(ID)?.textContent;
  if (!text) return none;
  try {
    const { views, start } = JSON.parse(text) as Record<string, unknown>;
    return { views: settleViews(views), start: typeof start === "string" ? start : "" };
  } catch {
    return none;
  }
}
