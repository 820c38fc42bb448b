import { describe, expect, it } from "vitest";
import { marksOf, shortNumber } from "../src/components/matrix.ts";
import type { Similarity } from "../src/data/payload.ts";
import { similarityTables } from "../src/data/similarity.ts";
import { Study } from "../src/data/study.ts";
import { pack, payload } from "./example.ts";

const here = { model: 0, epoch: null };

function table(more: Partial<Similarity>): Similarity {
  return {
    measure: "linear_cka",
    first: [0, null],
    second: [0, null],
    rows: [0, 2, 3],
    columns: [0, 2, 3],
    values: pack([65534, 32767, 0, 65534, 65535, 65534], "u16"),
    samples: 4,
    chance: 0,
    ...more,
  };
}

function study(tables: Similarity[]): Study {
  return new Study({ ...payload(), similarities: { tables, notes: [] } });
}

describe("tables of layer by layer", () => {
  it("of one moment are stored as their upper triangle", () => {
    const [found] = similarityTables(study([table({})]), here, here);
    const values = [0, 1, 2].map((i) => [0, 1, 2].map((j) => found?.at(i, j)));
    expect(values).toEqual([
      [1, 0.5, 0],
      [0.5, 1, null],
      [0, null, 1],
    ]);
    expect(found?.rows).toEqual([0, 2, 3]);
  });

  it("of two models are turned where the second is asked for first", () => {
    const between = table({
      second: [1, null],
      columns: [0, 1],
      values: pack([65534, 0, 32767, 6553, 13107, 26214], "u16"),
    });
    const s = study([between]);
    const other = { model: 1, epoch: null };
    const [straight] = similarityTables(s, here, other);
    const [turned] = similarityTables(s, other, here);
    expect(straight?.at(1, 0)).toBe(0.5);
    expect(turned?.at(0, 1)).toBe(0.5);
    expect(turned?.at(1, 2)).toBeCloseTo(0.4, 4);
    expect([turned?.rows, turned?.columns]).toEqual([
      [0, 1],
      [0, 2, 3],
    ]);
    expect(similarityTables(s, here, here)).toEqual([]);
  });

  it("of another size than their layers are refused", () => {
    const broken = table({ values: pack([1, 2], "u16") });
    expect(() => similarityTables(study([broken]), here, here)).toThrow("3 by 3 layers holds 2");
  });
});

describe("names beside many cells", () => {
  it("are all where there is room, at the middles", () => {
    expect(marksOf(["a", "b"], 20)).toEqual([
      { text: "a", at: 10 },
      { text: "b", at: 30 },
    ]);
  });

  it("are those of blocks, or some that do not touch", () => {
    const names = Array.from({ length: 40 }, (_, i) => `block${Math.floor(i / 10)}.conv${i}`);
    expect(marksOf(names, 2).map(({ text }) => text)).toEqual([
      "block0",
      "block1",
      "block2",
      "block3",
    ]);
    const plain = marksOf(
      Array.from({ length: 40 }, (_, i) => `layer${i}`),
      2,
    );
    const steps = plain.slice(1).map(({ at }, i) => at - (plain[i]?.at ?? 0));
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(12);
    expect(plain[0]?.text).toBe("layer0");
  });
});

describe("numbers in cells", () => {
  it("have two digits", () => {
    expect([0, 0.004, 0.126, 0.994, 0.996, 1].map(shortNumber)).toEqual([
      ".00",
      ".00",
      ".13",
      ".99",
      "1",
      "1",
    ]);
  });
});
