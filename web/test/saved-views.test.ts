import { describe, expect, it } from "vitest";
import {
  LINKED,
  NAME,
  VIEWS,
  decodeViews,
  encodeViews,
  joinViews,
  settleViews,
} from "../src/data/saved-views.ts";
import { pageWith, savedIn } from "../src/export/page.ts";
import { decodeState, encodeState } from "../src/state/links.ts";
import { initialState, settle } from "../src/state/view-state.ts";
import { study } from "./example.ts";

const HOSTILE = `</script><img src=x onerror="alert(1)"><!-- "'&\u2028`;
const view = (name: string) => ({ name, note: "", at: "layer=fc1" });

describe("views that a person keeps", () => {
  it("are read back from a link, whatever they hold", () => {
    const views = [{ name: HOSTILE, note: `${HOSTILE}\nline`, at: `find=${HOSTILE}` }];
    expect(decodeViews(encodeViews(views) ?? "")).toEqual(views);
  });

  it("leave out what is broken", () => {
    const wild = [
      view("a"),
      null,
      "b",
      { name: "c" },
      { name: " ", note: "", at: "" },
      { name: "x".repeat(500), note: "y".repeat(9999), at: "" },
      { name: "long", note: "", at: "z".repeat(30_000) },
    ];
    const found = settleViews(wild);
    expect(found.map(({ name }) => name.length)).toEqual([1, NAME]);
    expect(found[1]?.note.length).toBe(2000);
    expect(settleViews("no list")).toEqual([]);
    expect(settleViews(Array(500).fill(view("a"))).length).toBe(VIEWS);
    for (const text of ["", "{", "3", "[3, [1, 2, 3]]", "{}"])
      expect(decodeViews(text)).toEqual([]);
  });

  it("are in no link that would be too long, whole or not at all", () => {
    const s = study();
    const start = initialState(s);
    const few = { ...start, views: [view("a")] };
    const many = {
      ...start,
      views: Array.from({ length: 60 }, (_, i) => ({ ...view(`${i}`), note: "n".repeat(300) })),
    };
    expect(decodeState(s, encodeState(s, few)).views).toEqual(few.views);
    expect(encodeViews(many.views)).toBeNull();
    const link = encodeState(s, many);
    expect(link.length).toBeLessThan(LINKED);
    expect(decodeState(s, link).views).toBeUndefined();
  });

  it("of the file are in a link only where they are others", () => {
    const s = study({ views: [view("a")] });
    const start = initialState(s);
    expect(start.views).toEqual([view("a")]);
    expect(encodeState(s, start)).not.toContain("views");
    const none = encodeState(s, { ...start, views: [] });
    expect(settle(s, { ...start, ...decodeState(s, none) }).views).toEqual([]);
  });

  it("of two lists are joined, each once", () => {
    const [a, b, c] = ["a", "b", "c"].map(view) as [
      ReturnType<typeof view>,
      ReturnType<typeof view>,
      ReturnType<typeof view>,
    ];
    expect(joinViews([a, b], [b, c])).toEqual([a, b, c]);
    expect(joinViews([a], [{ ...a, note: "other" }]).length).toBe(2);
  });
});

describe("a saved page", () => {
  const source = `<!doctype html><html lang="en" data-theme="dark"><head>
<meta http-equiv="Content-Security-Policy" content="script-src 'sha256-x'"><title>A &lt;b&gt;</title>
<style>.a { color: red }</style><style>.added {}</style><link rel="stylesheet" href="x.css"></head>
<body class="added"><div id="unknot"><main>drawn</main></div><noscript>No <b>script</b></noscript>
<script type="application/json" id="unknot-data">{"title": "\\u003c/script>"}</script>
<script type="module">let a = "\\x3c/script" && 1 < 2;</script><div class="extension">x</div></body></html>`;

  function saved(views = [{ name: HOSTILE, note: HOSTILE, at: "layer=fc1" }]) {
    const document = new DOMParser().parseFromString(source, "text/html");
    const opening = document.createElement("div");
    opening.id = "unknot";
    opening.textContent = "Opening";
    return pageWith(document, opening, { views, start: "layer=fc1&point=3" });
  }

  it("is the page before anything was drawn, with its views", () => {
    const text = saved();
    const found = new DOMParser().parseFromString(text, "text/html");
    expect(savedIn(found)).toEqual({
      views: [{ name: HOSTILE, note: HOSTILE, at: "layer=fc1" }],
      start: "layer=fc1&point=3",
    });
    expect(found.getElementById("unknot")?.textContent).toBe("Opening");
    expect(
      found.querySelectorAll("main, .extension, link, img, [data-theme], body.added").length,
    ).toBe(0);
    expect(found.querySelectorAll("script").length).toBe(3);
    expect(found.querySelectorAll("style").length).toBe(1);
    const original = new DOMParser().parseFromString(source, "text/html");
    for (const part of ["title", "meta", "#unknot-data", "script[type=module]"])
      expect(found.querySelector(part)?.outerHTML).toBe(original.querySelector(part)?.outerHTML);
    expect(text.startsWith('<!doctype html>\n<html lang="en">')).toBe(true);
  });

  it("can be saved again, and holds what was kept last", () => {
    const first = new DOMParser().parseFromString(saved(), "text/html");
    const opening = first.createElement("div");
    opening.id = "unknot";
    const again = pageWith(first, opening, { views: [view("b")], start: "" });
    const found = new DOMParser().parseFromString(again, "text/html");
    expect(found.querySelectorAll("#unknot-saved").length).toBe(1);
    expect(savedIn(found).views).toEqual([view("b")]);
  });

  it("that is broken opens without views", () => {
    const broken = new DOMParser().parseFromString(
      '<script id="unknot-saved">{</script>',
      "text/html",
    );
    expect(savedIn(broken)).toEqual({ views: [], start: "" });
    expect(savedIn(new DOMParser().parseFromString("", "text/html"))).toEqual({
      views: [],
      start: "",
    });
  });
});
