import { beforeAll, describe, expect, it, vi } from "vitest";
import { scaleTicks, strengthOf } from "../src/components/heatmap.ts";
import { classMix } from "../src/components/selected.ts";
import { Confusion } from "../src/data/confusion.ts";
import { Study } from "../src/data/study.ts";
import { suggested, worstPoints } from "../src/components/worst.ts";
import {
  classColors,
  contrast,
  heatColor,
  inkOn,
  luminance,
  readable,
  shareColors,
} from "../src/data/palette.ts";
import { selectionCsv } from "../src/export/selection.ts";
import { layoutOf } from "../src/export/layout.ts";
import { sceneOf } from "../src/export/scene.ts";
import { toSvg } from "../src/export/svg.ts";
import { bands, curvesOf, join, seriesOf } from "../src/components/series.ts";
import { coloring, countShown, shown } from "../src/map/coloring.ts";
import { ellipsePath, place, polygonPath, toScreen } from "../src/map/geometry.ts";
import { shapesOf } from "../src/map/overlay.ts";
import { fewer, labelsOf } from "../src/map/labels.ts";
import { affineOf, orderOf, pointSize } from "../src/map/scatter.ts";
import { type ViewState, initialState } from "../src/state/view-state.ts";
import { pack, packConfusion, payload, score, study } from "./example.ts";

beforeAll(() => {
  // jsdom has no canvas to measure text on.
  const pen = { measureText: (text: string) => ({ width: 8 * text.length }) };
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(pen as never);
});

const inputs = { model: 0, layer: 0, epoch: null };
const coords = {
  x: new Float32Array(),
  y: new Float32Array(),
  center: [1, 2] as [number, number],
  scale: 0.5,
};

describe("geometry", () => {
  it("goes from the map's units to the square, and on to the screen", () => {
    expect(place(coords, [3, 4])).toEqual([1, 1]);
    // A view not moved: the square's height fills the canvas, its middle is the canvas' middle.
    const view = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    const affine = affineOf(view, 400, 200);
    expect(toScreen(affine, 0, 0)).toEqual([200, 100]);
    expect(toScreen(affine, 1, 1)).toEqual([300, 0]);
  });

  it("draws polygons closed, and leaves out what is no polygon", () => {
    expect(
      polygonPath(coords, [
        [
          [1, 2],
          [3, 2],
          [3, 4],
        ],
        [[0, 0]],
      ]),
    ).toBe("M0 0L1 0L1 1Z");
  });

  it("turns ellipses by their angle", () => {
    const path = ellipsePath(coords, { center: [1, 2], axes: [2, 1], angle: Math.PI / 2 });
    // The first point lies at the end of the long axis, which points up.
    expect(path.startsWith("M0 1L")).toBe(true);
  });

  it("makes shapes of the classes shown", () => {
    const s = study();
    const map = s.coords(inputs);
    if (!map) throw new Error("the example has a map");
    const shapes = shapesOf(s.layer(inputs), map, ["hulls", "ellipses"], null);
    expect(shapes.map(({ class: c, kind }) => [c, kind])).toEqual([
      [0, "hulls"],
      [0, "ellipses"],
    ]);
    expect(shapesOf(s.layer(inputs), map, ["hulls"], [1])).toEqual([]);
  });

  it("names a class where it is densest, not between its pieces", () => {
    // Nine points of the first class at the left, three at the right; the second lies between.
    const x = Float32Array.from([...Array(9).fill(-0.8), ...Array(3).fill(0.8), 0, 0.02]);
    const map = { ...coords, x, y: new Float32Array(14) };
    const codes = [...Array(12).fill(0), 1, 1];
    const labels = labelsOf(map, codes, ["split", "mid", "none"], null);
    expect(labels.map(({ text, count }) => [text, count])).toEqual([
      ["split", 12],
      ["mid", 2],
    ]);
    expect(labels.map(({ firm }) => firm)).toEqual([true, false]);
    expect(labels[0]?.at[0]).toBeCloseTo(-0.8);
    expect(labels[1]?.at[0]).toBeCloseTo(0, 1);
    expect(labelsOf(map, codes, ["split", "mid", "none"], [1]).map(({ class: c }) => c)).toEqual([
      1,
    ]);
  });

  it("draws late points last", () => {
    expect(orderOf(5, [1, 3])).toEqual([0, 2, 4, 1, 3]);
  });

  it("draws many points smaller than few", () => {
    expect(pointSize(70_000)).toBeLessThan(pointSize(1000));
    expect(pointSize(0)).toBeLessThan(10);
  });
});

describe("the scale of the confusion", () => {
  it("is the same for all layers: a tenth of the greatest share is weaker everywhere", () => {
    expect(strengthOf(0.5, 0.5)).toBe(1);
    expect(strengthOf(0.125, 0.5)).toBe(0.5);
    expect(strengthOf(0, 0)).toBe(0);
  });

  it("has round numbers that do not run into each other", () => {
    expect(scaleTicks(0.071)).toEqual([0, 0.005, 0.02, 0.071]);
    expect(scaleTicks(0)).toEqual([0]);
    for (const greatest of [0.0004, 0.03, 0.3, 1]) {
      const places = scaleTicks(greatest).map((share) => 200 * strengthOf(share, greatest));
      expect(
        Math.min(...places.slice(1).map((place, i) => place - (places[i] as number))),
      ).toBeGreaterThanOrEqual(38);
    }
  });
});

describe("curves", () => {
  const spot = (at: number, value = at / 10, interval = true) => ({
    at,
    value,
    low: interval ? value - 0.1 : null,
    high: interval ? value + 0.1 : null,
  });
  const places = (runs: { at: number }[][]) => runs.map((run) => run.map(({ at }) => at));

  it("break where a value is missing, and an isolated one stands alone", () => {
    const { runs, bridges } = join([spot(0), spot(1), null, spot(3), null, null, spot(6), spot(7)]);
    expect(places(runs)).toEqual([[0, 1], [3], [6, 7]]);
    expect(bridges).toEqual([]);
    expect(join([null, null]).runs).toEqual([]);
  });

  it("bridge layers that the other model has not, but no missing value", () => {
    // A model of three layers on the axis of a deeper one, and one whose middle value is missing.
    const { runs, bridges } = join([spot(0), spot(4), spot(5)]);
    expect(places(runs)).toEqual([[0], [4, 5]]);
    expect(places(bridges)).toEqual([[0, 4]]);
    expect(join([spot(0), null, spot(5)]).bridges).toEqual([]);
  });

  it("have bands that break where an interval is missing", () => {
    expect(places(bands([spot(0), spot(1, 0.1, false), spot(2), spot(3)]))).toEqual([[0], [2, 3]]);
  });

  it("of a layer without a value have no line over it", () => {
    const p = payload();
    const values = [0.1, null, 0.3, 0.4];
    p.models = p.models.slice(0, 1);
    for (const [i, layer] of (p.models[0]?.layers ?? []).entries()) {
      Object.assign(layer, {
        sameAs: null,
        scores: { nh: score(values[i] as number | null, { null: i === 1 ? null : 0.5 }) },
      });
    }
    const s = study({ models: p.models });
    const [model, chance] = curvesOf(s, initialState(s), "nh", "layers", ["red"]);
    expect(places(model?.runs ?? [])).toEqual([[0], [2, 3]]);
    expect(places(chance?.runs ?? [])).toEqual([[0], [2, 3]]);
  });

  it("are of what is shown, of what is beside it, and of the other models", () => {
    const s = study();
    const other = { model: 1, layer: 2, epoch: null };
    const names = (state: Partial<ViewState>) =>
      seriesOf(s, { ...initialState(s), ...state }, "layers").map(({ name }) => name);
    expect(names({})).toEqual(["a", "b"]);
    expect(names({ model: 1 })).toEqual(["b", "a"]);
    expect(names({ other })).toEqual(["a", "b"]);
  });
});

describe("colors", () => {
  it.each([1, 2, 10, 11, 37, 100])("differ for %i classes, on light and dark", (count) => {
    for (const dark of [false, true]) {
      const all = classColors(count, dark);
      expect(new Set(all).size).toBe(count);
      for (const color of all) expect(color).toMatch(/^#[0-9a-f]{6}$/);
    }
  });

  it("stand out from dark ground", () => {
    const ground = luminance("#14171a");
    for (const color of [...classColors(10, true), ...classColors(100, true)]) {
      expect((luminance(color) + 0.05) / (ground + 0.05)).toBeGreaterThan(2.9);
    }
  });

  it("of shares get lighter from tangled to not on light ground, darker on dark", () => {
    for (const dark of [false, true]) {
      const lights = shareColors(dark, 7).map(luminance);
      const sorted = [...lights].sort((a, b) => (dark ? b - a : a - b));
      expect(lights).toEqual(sorted);
    }
  });

  it("of the confusion can be written on, whatever their strength", () => {
    for (const dark of [false, true]) {
      for (let strength = 0; strength <= 1; strength += 0.01) {
        const ground = heatColor(strength, dark);
        expect(contrast(ground, inkOn(ground))).toBeGreaterThanOrEqual(4.5);
      }
    }
  });

  it("of names can be read on the ground", () => {
    for (const dark of [false, true]) {
      for (const color of [...classColors(10, dark), ...classColors(100, dark)]) {
        expect(
          contrast(readable(color, dark), dark ? "#14171a" : "#ffffff"),
        ).toBeGreaterThanOrEqual(4.5);
      }
    }
    expect(readable("#70004d", false)).toBe("#70004d");
  });

  it("take the ink that reads better", () => {
    expect([inkOn("#000000"), inkOn("#ffffff")]).toEqual(["#ffffff", "#000000"]);
  });
});

describe("coloring", () => {
  it("counts the points that are shown, of each color", () => {
    const s = study();
    const counts = (color: "class" | "prediction", classes: number[] | null) =>
      countShown(s, coloring(s, { ...initialState(s), color }, false), { classes, only: [] }).map(
        ({ count }) => count,
      );
    // Labels 0 0 1 1, predictions 0 0 1 0.
    expect(counts("class", null)).toEqual([2, 2]);
    expect(counts("class", [1])).toEqual([0, 2]);
    expect(counts("prediction", null)).toEqual([3, 1]);
    expect(counts("prediction", [1])).toEqual([1, 1]);
  });

  const s = study();
  const state = initialState(s);

  it("by class counts its points", () => {
    const { categories, entries, ofClasses } = coloring(s, state, false);
    expect([...categories]).toEqual([0, 0, 1, 1]);
    expect(entries.map(({ count }) => count)).toEqual([2, 2]);
    expect(ofClasses).toBe(true);
  });

  it("by correctness finds the wrong ones and draws them last", () => {
    // Labels 0 0 1 1, predictions 0 0 1 0: the last is wrong.
    const { categories, last } = coloring(s, { ...state, color: "correct" }, false);
    expect([...categories]).toEqual([0, 0, 0, 1]);
    expect(last).toEqual([3]);
  });

  it("by neighbors counts them where there are few", () => {
    // Shares 1, 2/3, 1/3 and 0 of k = 3.
    const { categories, entries } = coloring(s, { ...state, color: "hit" }, false);
    expect([...categories]).toEqual([3, 2, 1, 0]);
    expect(entries.map(({ label }) => label)).toEqual(["0 of 3", "1 of 3", "2 of 3", "3 of 3"]);
  });

  it("says that neighbors are not known, and shows no colors of something else", () => {
    const { entries, colors, categories } = coloring(
      s,
      { ...state, color: "hit", layer: 3 },
      false,
    );
    expect(entries.map(({ label, count }) => [label, count])).toEqual([["not known here", 4]]);
    expect([colors.length, Math.max(...categories)]).toEqual([1, 0]);
  });

  it("keeps the points of the classes shown", () => {
    expect(shown(s, { classes: [1], only: [] })).toEqual([2, 3]);
    expect(shown(s, { classes: null, only: [] })).toBeNull();
    expect(shown(s, { classes: null, only: [0, 2] })).toEqual([0, 2]);
    expect(shown(s, { classes: [1], only: [0, 2] })).toEqual([2]);
  });
});

describe("what is tangled", () => {
  it("ranks pairs by the mean of both directions", () => {
    const confusion = new Confusion(
      packConfusion([
        [0.8, 0.2, 0],
        [0.4, 0.6, 0],
        [0.1, 0, 0.9],
      ]),
    );
    expect(confusion.worstPairs(5)).toEqual([
      { a: 0, b: 1, share: expect.closeTo(0.3, 4) },
      { a: 0, b: 2, share: expect.closeTo(0.05, 4) },
    ]);
    expect(confusion.mostTangled(2)).toEqual([0, 1]);
    expect([0, 1, 2].map((column) => confusion.at(2, column))).toEqual([
      expect.closeTo(0.1, 4),
      0,
      expect.closeTo(0.9, 4),
    ]);
    expect(confusion.greatest()).toBeCloseTo(0.4, 4);
  });

  it("puts the surest mistakes first among points with as few neighbors of their class", () => {
    const tied = study();
    // Predictions 0 0 1 0 of labels 0 0 1 1: only the last is wrong.
    const all = new Study(payload());
    Object.assign(all.listed(inputs), { hits: pack([0, 0, 0, 0], "u8") });
    expect(worstPoints(all, inputs, null, 9).points.map(({ point }) => point)).toEqual([
      3, 0, 1, 2,
    ]);
    expect(worstPoints(all, inputs, null, 2)).toMatchObject({
      points: [{ point: 3 }, { point: 0 }],
      all: 4,
    });
    expect(suggested(tied, inputs, 3)).toBe(0);
    expect(suggested(tied, inputs, 0)).toBe(1);
  });

  it("finds the worst points of a class, the worst first", () => {
    expect(worstPoints(study(), inputs, null, 9).points.map(({ point }) => point)).toEqual([
      3, 2, 1,
    ]);
    expect(worstPoints(study(), inputs, 0, 9).points.map(({ point }) => point)).toEqual([1]);
  });

  it("mixes the classes of a selection", () => {
    expect(classMix(study(), [0, 2, 3])).toEqual([
      { class: 1, count: 2, share: expect.closeTo(2 / 3) },
      { class: 0, count: 1, share: expect.closeTo(1 / 3) },
    ]);
  });
});

describe("what is saved", () => {
  it("is a row for each point selected, in the map's own units", () => {
    const lines = selectionCsv(study(), inputs, [1, 3]).trim().split("\r\n");
    expect(lines).toEqual([
      "sample,label,class,prediction,predicted_class,confidence,model,layer,neighborhood_hit,x,y",
      "1,0,cat,0,cat,0.8,a,inputs,0.667,10,0",
      `3,1,"'=dog ""x"", y",0,cat,0.2,a,inputs,0,10,10`,
    ]);
  });

  it("is a picture with circles, shapes and the whole legend, as text only", () => {
    const s = study({ title: "<script>" });
    const state = { ...initialState(s), overlays: ["hulls" as const] };
    const affine = { kx: 100, ky: -100, tx: 100, ty: 100 };
    const scene = sceneOf(s, state, false, [{ place: inputs, affine, width: 200, height: 200 }]);
    const svg = new DOMParser().parseFromString(toSvg(scene), "image/svg+xml");
    expect(svg.querySelectorAll("parsererror, script").length).toBe(0);
    // Four points and two dots of the legend; a hull's inside and its outline.
    expect(svg.querySelectorAll("circle").length).toBe(6);
    expect(svg.querySelectorAll("path").length).toBe(2);
    expect(svg.documentElement.textContent).toContain("<script>");
    expect(svg.documentElement.textContent).toContain("cat");
    expect(svg.documentElement.textContent).toContain("convex hull of a class");
  });

  it("gives a long legend more columns", () => {
    const entry = { label: "x", color: "#000000", count: 1, class: null };
    const panel = {
      title: "",
      subtitles: [],
      width: 200,
      height: 200,
      radius: 1,
      dots: [],
      shapes: [],
      lines: [],
      rings: [],
      names: [],
      affine: { kx: 1, ky: 1, tx: 0, ty: 0 },
    };
    const of = (n: number) =>
      layoutOf({
        title: "",
        dark: false,
        paper: null,
        panels: [panel],
        legend: { title: "", entries: Array(n).fill(entry), lines: [], shapes: false },
      });
    // 200 px hold 8 rows of 20 px under the title.
    expect([of(8).rows, of(8).width < of(9).width, of(16).width]).toEqual([8, true, of(9).width]);
  });
});

describe("the unlabeled", () => {
  const some = () => study({ labels: pack([0, 2, 1, 1], "u8"), unlabeled: 1 });
  const state = (color: "class" | "hit" | "correct") => ({
    model: 0,
    layer: 0,
    epoch: null,
    color,
  });

  it("are gray in every coloring, and in no count of another", () => {
    for (const color of ["class", "hit", "correct"] as const) {
      const found = coloring(some(), state(color), false);
      const gray = found.colors[found.categories[1] as number];
      expect(gray).toBe("#b9bdc3");
      const entry = found.entries.at(-1);
      expect([entry?.label, entry?.color, entry?.count]).toEqual(["unlabeled", gray, 1]);
      expect(found.entries.reduce((sum, { count }) => sum + count, 0)).toBe(4);
    }
  });

  it("lie below the others", () => {
    expect(coloring(some(), state("class"), false).last).toEqual([0, 2, 3]);
  });

  it("are told beside the colors of numbers", () => {
    const values = {
      data: pack([0, 32767, 65534, 65535], "u16"),
      range: [0, 1] as [number, number],
    };
    const numbers = study({
      classNames: [],
      labels: pack([0, 0, 0, 0], "u8"),
      unlabeled: 1,
      values,
    });
    const found = coloring(numbers, state("class"), false);
    expect(found.ends).toEqual([0, 1]);
    expect([...found.categories]).toEqual([0, 32, 63, 64]);
    expect(found.entries.map(({ label }) => label)).toEqual([
      "0.000",
      "0.250",
      "0.500",
      "0.750",
      "1.000",
      "unlabeled",
    ]);
  });
});

describe("the names of very many points", () => {
  const n = 5000;
  const coords = {
    x: Float32Array.from({ length: n }, (_, i) => (i % 2 ? 0.5 : -0.5) + ((i * 37) % 100) / 500),
    y: Float32Array.from({ length: n }, (_, i) => ((i * 53) % 100) / 500),
    center: [0, 0] as [number, number],
    scale: 1,
  };
  const codes = Array.from({ length: n }, (_, i) => i % 2);
  const drawn = Uint32Array.from({ length: 500 }, (_, i) => 10 * i + (i % 2));

  it("are placed by some of them, near where all would place them", () => {
    const some = fewer(coords, codes, drawn, 2);
    expect(some.codes).toHaveLength(500);
    const [by, all] = [some, { coords, codes }].map((each) =>
      labelsOf(each.coords, each.codes, ["a", "b"], null),
    );
    by?.forEach((label, i) => {
      const other = all?.[i];
      expect(label.firm).toBe(other?.firm);
      expect(Math.abs(label.at[0] - (other?.at[0] ?? 9))).toBeLessThan(0.1);
      expect(Math.abs(label.at[1] - (other?.at[1] ?? 9))).toBeLessThan(0.1);
    });
  });

  it("are placed by all where a class has too few among them", () => {
    const rare = codes.map((code, i) => (i === 17 ? 2 : code));
    expect(fewer(coords, rare, drawn, 3).codes).toBe(rare);
    // What is of no class is not named.
    expect(fewer(coords, rare, drawn, 2).codes).toHaveLength(500);
  });
});
