import { describe, expect, it } from "vitest";
import {
  greatest,
  mappedLayers,
  neighborChange,
  ownLayer,
  streamOf,
  travels,
  untangling,
} from "../src/data/follow.ts";
import { Study } from "../src/data/study.ts";
import { trailsOf } from "../src/map/trails.ts";
import { search } from "../src/state/search.ts";
import { layer, pack, packConfusion, payload } from "./example.ts";

const here = { model: 0, epoch: null };
const at = (index: number) => ({ ...here, layer: index });

/** Three layers of four points, and a view of the second between them. */
function three(): Study {
  const p = payload();
  const layers = [
    // Hits 1, 1, 0, 0.
    layer("a", { hits: pack([255, 255, 0, 0], "u8") }),
    // Hits 1, 0, 1, 0; the first point at the other end of the map, 20 to the right of 21.3 wide.
    layer("b", {
      hits: pack([255, 0, 255, 0], "u8"),
      neighbors: { k: 3, indices: pack([1, 2, 4, 0, 2, 3, 0, 1, 3, 0, 1, 2], "u16") },
      confusion: packConfusion([
        [0.9, 0.1],
        [0.2, 0.8],
      ]),
      map: {
        x: pack([65535, 65535, 0, 65535], "u16"),
        y: pack([0, 0, 65535, 65535], "u16"),
        xRange: [-10, 10],
        yRange: [0, 10],
      },
    }),
    layer("view", { map: null, hits: null, neighbors: null, confusion: null, sameAs: "b" }),
    // Hits 1, 0, 1, 1.
    layer("c", {
      hits: pack([255, 0, 255, 255], "u8"),
      neighbors: { k: 2, indices: pack([3, 2, 0, 2, 0, 1, 0, 1], "u16") },
    }),
  ];
  (p.models[0] as { layers: unknown[] }).layers = layers;
  return new Study(p);
}

describe("what is followed", () => {
  const s = three();

  it("is the layers with a map of their own", () => {
    expect(mappedLayers(s, here)).toEqual([0, 1, 3]);
    expect([ownLayer(s, at(2)), ownLayer(s, at(3))]).toEqual([1, 3]);
  });

  it("tells the neighbors that are kept, new and lost, of as many", () => {
    // From 1 2 3 to 1 2: the number of the samples stands where there is no more.
    expect(neighborChange(s, at(0), at(1), 0)).toEqual({ kept: [1, 2], gained: [], lost: [] });
    // From 1 2 to 3 2.
    expect(neighborChange(s, at(1), at(3), 0)).toEqual({ kept: [2], gained: [3], lost: [1] });
    expect(neighborChange(s, at(0), at(3), 0)).toEqual({ kept: [2], gained: [3], lost: [1] });
  });

  it("tells from which layer on points are with their class", () => {
    const found = untangling(s, here);
    expect(found?.layers).toEqual([0, 1, 3]);
    expect([...(found?.since ?? [])]).toEqual([0, -1, 1, 2]);
    expect([...(found?.again ?? [])]).toEqual([0, 1, 0, 0]);
  });

  it("is found by a search", () => {
    const find = (query: string) => {
      const found = search(s, at(3), query);
      return "error" in found ? found.error : found.points;
    };
    expect(find("untangled at a")).toEqual([0]);
    expect(find("untangled at view")).toEqual([2]);
    expect(find("tangled again")).toEqual([1]);
    expect(find("never untangled")).toEqual([]);
    expect(find("not tangled again and class: cat")).toEqual([0]);
    expect(find("untangled at z")).toBe("There is no layer “z”.");
  });

  it("moves by shares of the map's width", () => {
    // The width has 94 % of the square: there and back again.
    const far = travels(s, here);
    expect(far?.[0]).toBeCloseTo(2 * 0.94, 3);
    expect([...(far ?? [])].slice(1)).toEqual([0, 0, 0]);
    expect(greatest(far as Float32Array, 2)).toEqual([0, 1]);
    expect(greatest(Float32Array.of(1, 3, 2, 3, 0, 5), 4)).toEqual([5, 1, 3, 2]);
  });

  it("has the shares of the neighbors of a class, its own first", () => {
    const { layers, classes, shares } = streamOf(s, here, 1);
    expect([layers, classes]).toEqual([
      [0, 1, 3],
      [1, 0],
    ]);
    const rounded = shares.map((row) => row.map((share) => Math.round(100 * share)));
    expect(rounded).toEqual([
      [50, 50],
      [80, 20],
      [50, 50],
    ]);
  });

  it("has trails with a place on each map, up to the layer shown", () => {
    const { trails, here: shown } = trailsOf(s, at(2), [0], () => "red");
    expect(shown).toBe(1);
    expect(trails[0]?.at.map(([x]) => Math.round(100 * x))).toEqual([-94, 94, -94]);
  });

  it("is nothing where there is one layer", () => {
    const p = payload();
    (p.models[0] as { layers: unknown[] }).layers.splice(1);
    const one = new Study(p);
    expect([untangling(one, here), travels(one, here)]).toEqual([null, null]);
  });
});
