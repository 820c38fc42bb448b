import { beforeAll, describe, expect, it, vi } from "vitest";
import { shortenMiddle } from "../src/data/format.ts";
import { withoutEnd } from "../src/data/names.ts";
import { rowsFor } from "../src/components/stepper.ts";
import { ticksOf } from "../src/components/chart.ts";
import { toScreen } from "../src/map/geometry.ts";
import { type Label, labelsOf } from "../src/map/labels.ts";
import { Crowd, type Field, placeNames } from "../src/map/names.ts";

beforeAll(() => {
  // jsdom has no canvas to measure text on.
  const pen = { measureText: (text: string) => ({ width: 8 * text.length }) };
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(pen as never);
});

const coords = {
  x: new Float32Array(),
  y: new Float32Array(),
  center: [1, 2] as [number, number],
  scale: 0.5,
};

describe("names on the map", () => {
  const random = (seed: number) => () => {
    // Marsaglia's xorshift.
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) / 2 ** 32;
  };
  /** Classes on a grid, as many points in each, spread so far round its middle. */
  function clouds(classes: number, each: number, spread: number) {
    const next = random(7);
    const side = Math.ceil(Math.sqrt(classes));
    const codes = Array.from({ length: classes * each }, (_, i) => i % classes);
    const along = (place: number) => (side > 1 ? (1.6 * place) / (side - 1) - 0.8 : 0);
    const x = Float32Array.from(codes, (c) => along(c % side) + spread * (next() - 0.5));
    const y = Float32Array.from(
      codes,
      (c) => along(Math.floor(c / side)) + spread * (next() - 0.5),
    );
    const names = Array.from({ length: classes }, (_, i) => `class ${i}`);
    return { coords: { ...coords, x, y }, codes, names };
  }
  const field: Field = { affine: { kx: 300, ky: -300, tx: 400, ty: 300 }, width: 800, height: 600 };
  const widthOf = (text: string) => 8 * [...text].length;
  const place = ({ coords, codes, names }: ReturnType<typeof clouds>, more: Partial<Field> = {}) =>
    placeNames(
      labelsOf(coords, codes, names, null),
      { ...field, ...more },
      new Crowd(coords, codes, null),
      widthOf,
    );
  const boxOf = ({ text, at: [x, y] }: { text: string; at: [number, number] }) =>
    [x - widthOf(text) / 2, y - 9, x + widthOf(text) / 2, y + 9] as const;

  it("stand beside their points, hide none, and do not lie on each other", () => {
    const map = clouds(9, 60, 0.2);
    const placed = place(map);
    expect(placed.map(({ class: c }) => c)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(placed.every(({ firm }) => firm)).toBe(true);
    const crowd = new Crowd(map.coords, map.codes, null);
    for (const name of placed) {
      const box = boxOf(name);
      expect(crowd.under([...box], field.affine)).toBe(0);
      for (const other of placed) {
        const [l, t, r, b] = boxOf(other);
        const apart = box[2] <= l || r <= box[0] || box[3] <= t || b <= box[1];
        expect(other === name || apart).toBe(true);
      }
      // Nearer to its own points than to the next class, 240 pixels away.
      const [x, y] = toScreen(
        field.affine,
        (1.6 * (name.class % 3)) / 2 - 0.8,
        (1.6 * Math.floor(name.class / 3)) / 2 - 0.8,
      );
      expect(Math.hypot(name.at[0] - x, name.at[1] - y)).toBeLessThan(110);
    }
  });

  it("are moved, not dropped, where there is room nearby: at the edge, and beside what stands on the map", () => {
    const map = clouds(1, 50, 0.05);
    for (const tx of [10, 790]) {
      const affine = { ...field.affine, tx };
      const [name] = place(map, { affine });
      expect(name && boxOf(name)[0]).toBeGreaterThanOrEqual(0);
      expect(name && boxOf(name)[2]).toBeLessThanOrEqual(800);
    }
    const [name] = place(map, { blocked: [[405, 200, 800, 400]] });
    expect(name && boxOf(name)[2]).toBeLessThanOrEqual(405);
  });

  it("of labels at random are all faint", () => {
    const map = clouds(10, 100, 0);
    const next = random(3);
    map.coords.x = map.coords.x.map(() => 1.2 * (next() - 0.5));
    map.coords.y = map.coords.y.map(() => 1.2 * (next() - 0.5));
    const labels = labelsOf(map.coords, map.codes, map.names, null);
    expect(labels.filter(({ firm }) => firm)).toEqual([]);
    expect(place(map).length).toBe(10);
  });

  it("of a hundred classes leave the points to be seen", () => {
    const map = clouds(100, 20, 0.16);
    const crowd = new Crowd(map.coords, map.codes, null);
    const placed = place(map);
    const hidden = placed.reduce(
      (sum, name) => sum + crowd.under([...boxOf(name)], field.affine),
      0,
    );
    expect(hidden).toBeLessThan(0.25 * map.codes.length);
  });

  it("measure each text once or twice, however many the places", () => {
    const map = clouds(100, 100, 0.1);
    const [labels, crowd] = [
      labelsOf(map.coords, map.codes, map.names, null),
      new Crowd(map.coords, map.codes, null),
    ];
    let asked = 0;
    const counted = (text: string) => {
      asked++;
      return widthOf(text);
    };
    placeNames(labels, field, crowd, counted);
    // Text is measured for each name once or twice, not for each place it could take.
    expect(asked).toBeLessThanOrEqual(300);
  });

  it("stay at their places where these are still good", () => {
    const label: Label = { class: 0, text: "one", at: [0, 0], count: 1, firm: true };
    const crowd = new Crowd(
      { ...coords, x: new Float32Array(1), y: new Float32Array(1) },
      [0],
      null,
    );
    const [first] = placeNames([label], field, crowd, widthOf);
    const [again] = placeNames([label], field, crowd, widthOf, new Map([[0, 12]]));
    expect([first?.slot, again?.slot]).toEqual([0, 12]);
  });

  it("that are long lose their middle, by letters as they are read", () => {
    expect(shortenMiddle("Donaudampfschifffahrt", 80, widthOf)).toBe("Donau…ahrt");
    expect(shortenMiddle("short", 80, widthOf)).toBe("short");
    const wide = (text: string) => 15 * [...new Intl.Segmenter().segment(text)].length;
    expect(shortenMiddle("👩‍🚀👩‍🚀👩‍🚀👩‍🚀", 50, wide)).toBe("👩‍🚀…👩‍🚀");
  });
});

describe("names in little room", () => {
  it("lose what all of several parts end with, and keep apart", () => {
    expect(withoutEnd(["a.0.mlp", "a.1.mlp", "inputs"])).toEqual(["a.0", "a.1", "inputs"]);
    expect(withoutEnd(["a.mlp", "a.norm"])).toEqual(["a.mlp", "a.norm"]);
    expect(withoutEnd(["a.mlp", "a"])).toEqual(["a.mlp", "a"]);
  });
});

describe("names under a slider and an axis", () => {
  const names = ["inputs", "conv1", "pool1", "conv2", "pool2", "flatten", "fc1", "probabilities"];

  it("stand on as few rows as they need, all of them", () => {
    expect(rowsFor(names, 100)).toBe(1);
    expect(rowsFor(names, 54)).toBe(2);
    expect(rowsFor(names, 33)).toBe(3);
    expect(rowsFor(names, 10)).toBeNull();
    // The last one keeps within the slider, and would run into that before it on its row.
    expect(rowsFor(["a", "b", "c", "probabilities"], 36)).toBe(3);
  });

  it("are turned where they would run into each other", () => {
    expect(ticksOf(names, 700)).toMatchObject({ at: [0, 1, 2, 3, 4, 5, 6, 7], turned: false });
    expect(ticksOf(names, 300)).toMatchObject({ at: [0, 1, 2, 3, 4, 5, 6, 7], turned: true });
    expect(ticksOf(Array(100).fill("layer"), 300).at.length).toBeLessThan(25);
    expect(ticksOf(["one"], 300).at).toEqual([0]);
  });
});
