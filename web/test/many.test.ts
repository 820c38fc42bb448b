import { beforeAll, describe, expect, it, vi } from "vitest";
import { ticksOf } from "../src/components/chart.ts";
import { evenly } from "../src/components/epoch-grid.ts";
import { sorted } from "../src/components/legend.ts";
import { trendOf } from "../src/components/sparkline.ts";
import { commonWord } from "../src/components/stepper.ts";
import { blocksOf, shortNames } from "../src/data/names.ts";
import { Study } from "../src/data/study.ts";
import { layoutOf } from "../src/export/layout.ts";
import { sceneOf } from "../src/export/scene.ts";
import { initialState } from "../src/state/view-state.ts";
import { payload, study } from "./example.ts";

beforeAll(() => {
  // jsdom has no canvas to measure text on.
  const pen = { measureText: (text: string) => ({ width: 8 * text.length }) };
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(pen as never);
});

const inputs = { model: 0, layer: 0, epoch: null };

describe("many layers", () => {
  const deep = [
    "inputs",
    ...Array.from({ length: 30 }, (_, i) => `net.enc.block${Math.floor(i / 10)}.conv${i % 10}`),
  ];

  it("have names without what all begin with", () => {
    const { prefix, names } = shortNames(deep);
    expect(prefix).toBe("net.enc.");
    expect(names.slice(0, 3)).toEqual(["inputs", "block0.conv0", "block0.conv1"]);
    expect(shortNames(["a.b", "c.b"])).toEqual({ prefix: "", names: ["a.b", "c.b"] });
    expect(shortNames(["fc1", "fc2"]).names).toEqual(["fc1", "fc2"]);
    // Without its beginning, one would have the name of another.
    expect(shortNames(["x", "m.x", "m.y"]).names).toEqual(["x", "m.x", "m.y"]);
  });

  it("are grouped by block, unless that says nothing", () => {
    expect(blocksOf(shortNames(deep).names)).toEqual([
      { name: "inputs", start: 0, end: 1 },
      { name: "block0", start: 1, end: 11 },
      { name: "block1", start: 11, end: 21 },
      { name: "block2", start: 21, end: 31 },
    ]);
    expect(blocksOf(["a", "b", "c", "d"])).toEqual([]);
    expect(commonWord(["inputs", "block0", "block1"])).toBe("block");
    expect(commonWord(["stem", "block0", "head"])).toBe("");
  });

  it("have ticks at the beginnings of blocks where their names do not fit", () => {
    const { at, names, blocks } = ticksOf(shortNames(deep).names, 300);
    expect(at.map((i) => names.get(i))).toEqual(["inputs", "block1", "block2"]);
    expect(blocks).toEqual([0.5, 10.5, 20.5]);
  });
});

describe("many classes", () => {
  const entries = [3, 1, 2].map((count, i) => ({
    label: `class ${10 - i}`,
    color: "",
    count,
    class: i,
  }));
  const scored = { values: [0.5, null, 0.1] };

  it("are listed in several orders", () => {
    const orders = (["class", "name", "points", "low", "high"] as const).map((order) =>
      sorted([0, 1, 2], entries, order, scored),
    );
    expect(orders).toEqual([
      [0, 1, 2],
      [2, 1, 0],
      [0, 2, 1],
      [2, 0, 1],
      [0, 2, 1],
    ]);
    expect(sorted([2, 0], entries, "low", null)).toEqual([0, 2]);
  });

  it("have a line over the layers only if several layers are measured", () => {
    expect(trendOf(study(), inputs, "nh")).toBeNull();
    const p = payload();
    p.models[0]?.layers.forEach(({ scores }, i) => {
      if (scores["nh"]) scores["nh"].perClass = [0.1 * i, 0.5];
    });
    expect(trendOf(new Study(p), inputs, "nh")).toMatchObject({ low: 0, high: 0.5 });
  });

  it("do not make a picture's legend wider than its maps", () => {
    const p = payload({ classNames: Array.from({ length: 300 }, (_, i) => `class ${i}`) });
    const s = new Study(p);
    const look = { place: inputs, affine: { kx: 1, ky: 1, tx: 0, ty: 0 }, width: 800, height: 600 };
    const { legend } = sceneOf(s, initialState(s), false, [look]);
    expect(legend.entries.length).toBe(40);
    expect(legend.entries.at(-1)?.label).toBe("and 261 more");
    // On paper it is below them, as high as a few lines of text.
    const paper = sceneOf(s, initialState(s), false, [look], 3.3);
    expect(paper.legend.entries.at(-1)?.label).toBe("and 277 more");
    const { width, height, legendTop, top } = layoutOf(paper);
    expect(width).toBe(440);
    expect(legendTop).toBeGreaterThan(top + (paper.panels[0]?.height ?? 0));
    expect(height).toBeLessThan(700);
  });
});

describe("evenly", () => {
  it("takes the first, the last, and as many between as are wanted", () => {
    const all = [...Array(101).keys()];
    expect(evenly(all, 101)).toBe(all);
    expect(evenly(all, 5)).toEqual([0, 25, 50, 75, 100]);
    expect(evenly(all, 2)).toEqual([0, 100]);
  });
});
