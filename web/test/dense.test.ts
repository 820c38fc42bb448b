import { describe, expect, it } from "vitest";
import { contoursOf } from "../src/map/contours.ts";
import { inksOfCells } from "../src/map/cells.ts";
import { pixelsOf, pointsWithin } from "../src/map/density.ts";
import { maskOf, someOf } from "../src/map/some.ts";
import { Study } from "../src/data/study.ts";
import { settleZoom } from "../src/state/view-state.ts";
import { pack, payload } from "./example.ts";

function coordsOf(points: [number, number][]) {
  return {
    x: Float32Array.from(points, ([x]) => x),
    y: Float32Array.from(points, ([, y]) => y),
    center: [0, 0] as [number, number],
    scale: 1,
  };
}

describe("a density", () => {
  it("counts the points of every cell, in their mean color", () => {
    // Cells of 3 pixels: two points in the first, black and white, one in the last, red.
    const coords = coordsOf([
      [1, 1],
      [2, 2],
      [4, 4],
    ]);
    const colors = ["#000000", "#ffffff", "#ff0000"];
    const what = { coords, categories: Uint16Array.from([0, 1, 2]), colors, mask: null };
    const affine = { kx: 1, ky: 1, tx: 0, ty: 0 };
    const pixels = [...pixelsOf(what, affine, 2, 2)];
    expect(pixels.slice(0, 3)).toEqual([128, 128, 128]);
    expect(pixels.slice(12, 15)).toEqual([255, 0, 0]);
    expect(pixels[3]).toBeGreaterThan(pixels[15] as number);
    expect(pixels.slice(4, 12)).toEqual(Array(8).fill(0));
    const masked = pixelsOf({ ...what, mask: Uint8Array.from([0, 1, 0]) }, affine, 2, 2);
    expect([...masked.slice(0, 3)]).toEqual([255, 255, 255]);
    expect(masked[15]).toBe(0);
  });

  it("finds the points within a lasso, whatever its shape", () => {
    const coords = coordsOf([
      [0, 0],
      [0.5, 0.5],
      [0.9, 0.1],
      [2, 2],
    ]);
    // A square without its lower right corner.
    const corners: [number, number][] = [
      [-1, -1],
      [0.5, -1],
      [0.5, 0.3],
      [1, 0.3],
      [1, 1],
      [-1, 1],
    ];
    expect(pointsWithin(coords, corners)).toEqual([0, 1]);
    expect(pointsWithin(coords, corners.slice(0, 2))).toEqual([]);
  });
});

describe("contours", () => {
  const ring = Array.from({ length: 400 }, (_, i): [number, number] => {
    const [angle, far] = [i * 2.4, 0.3 * Math.sqrt(i / 400)];
    return [-0.4 + far * Math.cos(angle), far * Math.sin(angle)];
  });

  it("lie round the densest places of each class, the inner within the outer", () => {
    const codes = ring.map(() => 1);
    const found = contoursOf(coordsOf(ring), codes, 2, null);
    expect(found.map((contour) => contour.class)).toEqual([1, 1]);
    const spans = found.map(({ path }) => {
      const xs = [...path.matchAll(/[ML]([-\d.]+) /g)].map((match) => Number(match[1]));
      return [Math.min(...xs), Math.max(...xs)] as [number, number];
    });
    const [outer, inner] = spans as [[number, number], [number, number]];
    expect(outer[0]).toBeLessThan(inner[0]);
    expect(outer[1]).toBeGreaterThan(inner[1]);
    // The disc has a radius of 0.3 round -0.4: nine tenths of it lie within 0.285.
    expect((outer[0] + outer[1]) / 2).toBeCloseTo(-0.4, 1);
    expect((outer[1] - outer[0]) / 2).toBeGreaterThan(0.22);
    expect((outer[1] - outer[0]) / 2).toBeLessThan(0.4);
  });

  it("are those of the largest classes where there are many", () => {
    const codes = ring.map((_, i) => Math.floor(i / 4));
    // A hundred classes of four points, too few for contours, and one of 400.
    const many = coordsOf([...ring, ...ring]);
    const found = contoursOf(many, [...codes, ...ring.map(() => 100)], 101, null);
    expect([...new Set(found.map((contour) => contour.class))]).toEqual([100]);
  });

  it("are not drawn of few points, nor of classes that are hidden", () => {
    expect(contoursOf(coordsOf(ring.slice(0, 5)), Array(5).fill(0), 1, null)).toEqual([]);
    expect(contoursOf(coordsOf(ring), Array(400).fill(0), 2, [1])).toEqual([]);
  });
});

describe("some of very many points", () => {
  const n = 200_000;
  const labels = Array.from({ length: n }, (_, i) => (i % 4 === 0 ? 1 : 0));
  const s = new Study(payload({ nSamples: n, labels: pack(labels, "u8") }));

  it("are drawn in proportion to their classes", () => {
    const drawn = s.drawn as Uint32Array;
    expect(drawn.length).toBe(40_000);
    expect(new Set(drawn).size).toBe(40_000);
    expect([...drawn].filter((i) => labels[i] === 1).length).toBe(10_000);
    expect(new Study(payload()).drawn).toBeNull();
  });

  it("keep their colors, and are told by their places among the drawn", () => {
    const frame = {
      x: Float32Array.from([0, 1, 2, 3]),
      y: Float32Array.from([4, 5, 6, 7]),
      categories: Uint16Array.from([9, 8, 7, 6]),
      colors: [],
      faint: Uint8Array.from([0, 1, 0, 1]),
      last: [3, 0],
      only: [1, 2, 3],
      dark: false,
      shapes: false,
      duration: 0,
    };
    const some = someOf(frame, Uint32Array.from([1, 3]));
    expect([...some.x, ...some.y, ...some.categories]).toEqual([1, 3, 5, 7, 8, 6]);
    expect([...(some.faint ?? [])]).toEqual([1, 1]);
    expect([some.last, some.only]).toEqual([[1], [0, 1]]);
    // The same map is the same array, by which it is seen that nothing moved.
    expect(someOf(frame, Uint32Array.from([1, 3])).x).toBe(some.x);
  });

  it("count where they are shown and selected", () => {
    expect(maskOf(4, null, [])).toBeNull();
    expect([...(maskOf(4, [0, 1], []) ?? [])]).toEqual([1, 1, 0, 0]);
    expect([...(maskOf(4, null, [2]) ?? [])]).toEqual([0, 0, 1, 0]);
    expect([...(maskOf(4, [0, 1], [1, 2]) ?? [])]).toEqual([0, 1, 0, 0]);
  });
});

describe("a view in a link", () => {
  it("is one in which something can be seen", () => {
    expect(settleZoom([2, 0.12345, -0.5])).toEqual([2, 0.123, -0.5]);
    expect(settleZoom([1, 0, 0])).toBeNull();
    expect(settleZoom([1.0001, -0.0001, 0])).toBeNull();
    for (const wild of [
      [0, 0, 0],
      [2, 9, 0],
      [Number.NaN, 0, 0],
      [1, 2],
    ] as never[])
      expect(settleZoom(wild)).toBeNull();
  });
});

describe("the density of all samples", () => {
  const cells = {
    samples: 6,
    size: 2,
    xRange: [-1, 1] as [number, number],
    yRange: [-1, 1] as [number, number],
    classes: Uint16Array.from([0, 1]),
    cells: Uint8Array.from([0, 3]),
    counts: Uint8Array.from([4, 2]),
  };
  const what = { cells, coords: coordsOf([]), colors: ["#000000", "#ff0000", "#888888"] };

  it("spreads each cell over what it covers in the view", () => {
    // A view of 12 pixels a side, upward: a picture of 4 by 4, of which a cell covers 2 by 2.
    const affine = { kx: 6, ky: -6, tx: 6, ty: 6 };
    const { counts, sums } = inksOfCells({ ...what, only: null }, affine, 4, 4, 3);
    expect([...counts]).toEqual([0, 0, 2, 2, 0, 0, 2, 2, 4, 4, 0, 0, 4, 4, 0, 0]);
    expect(sums[3 * 2]).toBeCloseTo(2 * 255);
    // Of a view of one pixel, all are in it.
    const far = inksOfCells({ ...what, only: null }, { kx: 1, ky: -1, tx: 1, ty: 1 }, 1, 1, 3);
    expect(far.counts[0]).toBeCloseTo(6);
    expect(far.sums[0]).toBeCloseTo(2 * 255);
  });

  it("shows some classes alone, and nothing beyond the view", () => {
    const affine = { kx: 6, ky: -6, tx: 6, ty: 6 };
    const some = inksOfCells({ ...what, only: [1] }, affine, 4, 4, 3);
    expect(some.counts.reduce((a, b) => a + b)).toBeCloseTo(4 * 2);
    // A view within an empty cell.
    const near = inksOfCells({ ...what, only: null }, { kx: 9, ky: -9, tx: -3, ty: -3 }, 1, 1, 3);
    expect(near.counts[0]).toBe(0);
  });

  it("is decoded from the payload", () => {
    const density = {
      samples: 6,
      size: 2,
      xRange: [-1, 1] as [number, number],
      yRange: [-1, 1] as [number, number],
      lengths: pack([1, 1, 0], "u8"),
      cells: pack([0, 3], "u8"),
      counts: pack([4, 2], "u8"),
    };
    const given = payload();
    const first = given.models[0]?.layers[0];
    if (first) first.density = density;
    const study = new Study(given);
    expect(study.cells({ model: 0, layer: 0, epoch: null })).toEqual(cells);
    expect(study.cells({ model: 0, layer: 1, epoch: null })).toBeNull();
    expect(study.samplesInAll).toBe(6);
  });
});
