import { describe, expect, it } from "vitest";
import { toCsv } from "../src/data/csv.ts";
import {
  describeDifference,
  describeScore,
  formatInterval,
  formatNumber,
  formatP,
  formatPercent,
  intervalOf,
  measureTitle,
  plural,
  sentence,
  shorten,
  sizeOf,
} from "../src/data/format.ts";
import { labeled, variantOf } from "../src/data/labelings.ts";
import type { Payload } from "../src/data/payload.ts";
import { unpack, unpackCoords, unpackHits, unpackShares } from "../src/data/pack.ts";
import { blobOf } from "../src/data/sprites.ts";
import { Study } from "../src/data/study.ts";
import { layer, pack, packConfusion, payload, score, study } from "./example.ts";

/** A layer of the first model, at no epoch. */
const at = (layer: number, epoch: number | null = null) => ({ model: 0, layer, epoch });

describe("a view", () => {
  it("has the scores of what it is the same as, but no transition from it", () => {
    const p = payload();
    const [hit] = p.measures;
    if (hit) p.measures.push({ ...hit, name: "kept_neighbors", family: "transition" });
    for (const l of p.models[0]?.layers ?? []) {
      if (l.name === "fc=1&2") l.scores = { nh: score(0.9), kept_neighbors: score(0.8) };
    }
    const s = new Study(p);
    expect(s.score(at(1), "kept_neighbors")?.value).toBe(0.8);
    expect(s.score(at(2), "nh")?.value).toBe(0.9);
    const view = s.score(at(2), "kept_neighbors");
    expect(describeScore(view)).toBe("n/a: it is the same as fc=1&2, from which nothing changes");
  });
});

describe("packing", () => {
  it("reads little-endian numbers of each width", () => {
    // 0x0102 is 258, stored as 02 01.
    expect([...unpack({ dtype: "u16", data: btoa("\x02\x01\xff\xff") })]).toEqual([258, 65535]);
    expect([...unpack({ dtype: "u32", data: btoa("\x01\x00\x00\x80") })]).toEqual([2147483649]);
    expect([...unpack(pack([0, 7, 255], "u8"))]).toEqual([0, 7, 255]);
    // As a notebook has them: at any place of a message.
    const bytes = Uint8Array.from([9, 2, 1, 255, 255, 9]).subarray(1, 5);
    expect([...unpack({ dtype: "u16", data: bytes })]).toEqual([258, 65535]);
  });

  it("refuses bytes that are no whole number, and unknown types", () => {
    expect(() => unpack({ dtype: "u16", data: btoa("abc") })).toThrow("3 bytes");
    expect(() => unpack({ dtype: "f4" as "u8", data: "" })).toThrow("f4");
  });

  it("reads shares", () => {
    expect(unpackShares(pack([0, 51, 255], "u8"))).toEqual(new Float32Array([0, 0.2, 1]));
    // 127 is 3 of 6 neighbors, which is not less than half; 106 is 2.5, with a tie.
    const hits = unpackHits(pack([0, 42, 127, 212, 255, 106], "u8"), 6);
    expect(hits).toEqual(new Float32Array([0, 1 / 6, 0.5, 5 / 6, 1, 106 / 255]));
    expect(unpackHits(pack([127], "u8"), undefined)).toEqual(new Float32Array([127 / 255]));
  });

  it("fits a map into the square with equal aspect", () => {
    const coords = unpackCoords({
      x: pack([0, 65535], "u16"),
      y: pack([0, 65535], "u16"),
      xRange: [-10, 10],
      yRange: [0, 10],
    });
    // The wider side, 20 units, spans 2 * 0.94; the other half of that.
    expect(coords.scale).toBeCloseTo(0.094);
    expect(coords.x[1]).toBeCloseTo(0.94);
    expect(coords.y[1]).toBeCloseTo(0.47);
    expect(coords.center).toEqual([0, 5]);
  });

  it("puts a map of one place in the middle", () => {
    const coords = unpackCoords({
      x: pack([0, 0], "u16"),
      y: pack([9, 9], "u16"),
      xRange: [3, 3],
      yRange: [4, 4],
    });
    expect([...coords.x, ...coords.y].map(Math.abs)).toEqual([0, 0, 0, 0]);
  });
});

describe("the study", () => {
  it("follows a view to its layer and says which layers have no map", () => {
    const s = study();
    expect(s.layer(at(2)).name).toBe("fc=1&2");
    expect([0, 1, 2, 3].map((i) => s.hasMap(at(i)))).toEqual([true, true, true, false]);
    expect(s.coords(at(2))).toBe(s.coords(at(1)));
  });

  it("does not follow views in a circle", () => {
    const p = payload();
    for (const l of p.models[0]?.layers ?? []) Object.assign(l, { map: null, sameAs: l.name });
    expect(new Study(p).hasMap(at(1))).toBe(false);
  });

  it("finds neighbors, nearest first", () => {
    expect(study().neighbors(at(0), 1)).toEqual([0, 2, 3]);
    expect(study().neighbors(at(3), 1)).toEqual([]);
  });

  it("falls back on the payload's predictions for the first model only", () => {
    const p = payload({ predictions: pack([1, 1, 1, 1], "u8") });
    for (const m of p.models) m.predictions = null;
    const s = new Study(p);
    expect([...(s.predictions(at(0)) ?? [])]).toEqual([1, 1, 1, 1]);
    expect(s.predictions({ ...at(0), model: 1 })).toBeNull();
  });

  it("refuses another format", () => {
    expect(() => new Study(payload({ format: 1 as 3 }))).toThrow("format 1");
  });

  it("counts its classes and names the nameless", () => {
    const s = study({ classNames: ["cat", " "] });
    expect(s.counts).toEqual([2, 2]);
    expect(s.classNames).toEqual(["cat", "(no name)"]);
  });
});

describe("differences", () => {
  const found = study({
    differences: [
      { first: [0, 0], second: [0, 1], count: 3, scores: { nh: [0.1, 0.3, 0.002] } },
      { first: [0, 1], second: [1, 1], count: 2, scores: { nh: [-0.2, 0.1, 0.6] } },
    ],
  });
  const place = (model: number, layer: number) => ({ model, layer, epoch: null });

  it("are found from either side", () => {
    expect(found.difference(place(0, 0), place(0, 1), "nh")).toEqual({
      interval: [0.1, 0.3],
      p: 0.002,
      count: 3,
    });
    expect(found.difference(place(0, 1), place(0, 0), "nh")?.interval).toEqual([-0.3, -0.1]);
    expect(found.difference(place(0, 0), place(1, 1), "nh")).toBeNull();
    expect(found.difference(place(0, 0), place(0, 1), "probe")).toBeNull();
    expect(study().difference(place(0, 0), place(0, 1), "nh")).toBeNull();
  });

  it("of a view are those of its layer", () => {
    expect(found.difference(place(0, 2), place(1, 2), "nh")?.p).toBe(0.6);
  });

  it("are of the layer before and of the other model", () => {
    expect(found.comparedWith(place(0, 1))).toEqual([place(0, 0), place(1, 1)]);
    expect(found.comparedWith(place(1, 1))).toEqual([place(0, 1)]);
    expect(found.comparedWith(place(0, 0))).toEqual([]);
  });
});

describe("epochs", () => {
  const p = payload();
  const then = layer("inputs", {
    hits: pack([0, 0, 0, 0], "u8"),
    map: null,
    confusion: packConfusion([
      [0, 1],
      [1, 0],
    ]),
    scores: { nh: score(0.3) },
  });
  Object.assign(p.models[0] as object, {
    epochs: {
      epochs: [1, 4, null],
      moments: [
        {
          accuracy: 0.25,
          predictions: pack([1, 1, 0, 0], "u8"),
          confidence: null,
          layers: [then],
          controls: [],
        },
        {
          accuracy: null,
          predictions: null,
          confidence: null,
          layers: [{ name: "inputs", unchanged: true }, layer("fc=1&2")],
          controls: [],
        },
      ],
    },
  });
  const s = study({ models: p.models });

  it("have each their own layers, neighbors and predictions", () => {
    expect([0, 1, 2].map((epoch) => s.epochName(0, epoch))).toEqual(["1", "4", "end"]);
    expect([...(s.hits(at(0, 0)) ?? [])]).toEqual([0, 0, 0, 0]);
    expect(s.hits(at(0, 2))?.[0]).toBe(1);
    expect(s.hits(at(0, null))).toBe(s.hits(at(0, 2)));
    expect([...(s.predictions(at(0, 0)) ?? [])]).toEqual([1, 1, 0, 0]);
    expect(s.predictions(at(0, 1))).toBeNull();
    expect(s.confidence(at(0, 0))).toBeNull();
    expect(s.moment(at(0, 0)).accuracy).toBe(0.25);
  });

  it("know nothing that was not captured, instead of what is known of another epoch", () => {
    expect(s.hasMap(at(0, 0))).toBe(false);
    expect(s.coords(at(0, 0))).toBeNull();
    expect(s.hits(at(1, 0))).toBeNull();
    expect(s.neighbors(at(1, 0), 1)).toEqual([]);
    expect(s.score(at(1, 0), "nh")).toBeNull();
    expect(s.layer(at(1, 0))).toMatchObject({
      name: "fc=1&2",
      confusion: null,
      hulls: null,
      klDivergence: null,
    });
    expect(s.hasMap(at(3, 0))).toBe(false);
  });

  it("before the last are not among the compared", () => {
    const differences = [
      { first: [0, 0], second: [0, 1], count: 1, scores: { nh: [0, 1, 0.5] } },
    ] as NonNullable<Payload["differences"]>;
    const compared = study({ models: p.models, differences });
    expect(compared.difference(at(0, 2), at(1, 2), "nh")?.p).toBe(0.5);
    expect(compared.difference(at(0, 1), at(1, 2), "nh")).toBeNull();
    expect(compared.comparedWith(at(1, 2))).toEqual([at(0, 2)]);
    // At an earlier epoch its own are shown, and none between two epochs.
    const [first, ...more] = p.models[0]?.epochs?.moments ?? [];
    const own = [{ ...differences[0], scores: { nh: [-0.1, 0.1, 0.9] } }];
    const axis = { ...p.models[0]?.epochs, moments: [{ ...first, differences: own }, ...more] };
    const models = [{ ...p.models[0], epochs: axis }, ...p.models.slice(1)] as Payload["models"];
    const early = study({ models, differences });
    expect(early.difference(at(0, 0), at(1, 0), "nh")?.p).toBe(0.9);
    expect(early.difference(at(0, 2), at(1, 2), "nh")?.p).toBe(0.5);
    expect(early.difference(at(0, 0), at(1, 2), "nh")).toBeNull();
    expect(early.difference(at(0, 1), at(1, 1), "nh")).toBeNull();
    expect(early.comparedWith(at(1, 0))).toEqual([at(0, 0)]);
  });

  it("follow views, and layers that are the same as at the end", () => {
    expect(s.layer(at(0, 1))).toBe(s.layer(at(0, 2)));
    // The view was not captured; what it is a view of was.
    expect(s.layer(at(2, 1))).toBe(s.layer(at(1, 1)));
    expect(s.layer(at(2, 1))).not.toBe(s.layer(at(2, 2)));
    expect(s.layer(at(2, 0)).scores).toEqual({});
  });

  it("and layers share one scale of confusion", () => {
    expect(study().greatestConfusion).toBeCloseTo(0.5, 4);
    expect(s.greatestConfusion).toBe(1);
  });
});

describe("words for numbers", () => {
  it("shows the digits that matter", () => {
    expect([0.98765, 12.34, 1234.5, 0.00001, 0, -0.5].map(formatNumber)).toEqual([
      "0.988",
      "12.3",
      "1,235",
      "1.00e\u22125",
      "0.000",
      "\u22120.500",
    ]);
  });

  it("says n/a for what is no number", () => {
    expect([null, undefined, Number.NaN, Infinity].map(formatNumber)).toEqual(Array(4).fill("n/a"));
    expect(formatPercent(null)).toBe("n/a");
  });

  it("describes a score with its interval and chance, or why there is none", () => {
    expect(describeScore(score(0.9))).toBe("0.900, 95 % interval 0.890 to 0.910, chance 0.500");
    expect(describeScore(score(null, { reason: "dead layer" }))).toBe("n/a: dead layer");
    expect(describeScore(null)).toContain("not measured");
  });

  it("says of the interval of a map's score that it is given this map", () => {
    const given = score(0.9, { givenMap: true });
    expect(describeScore(given)).toContain("interval 0.890 to 0.910 given this map, chance");
    expect(intervalOf(given)).toBe("0.890–0.910\u2009†");
    expect(intervalOf(score(0.9))).toBe("0.890–0.910");
    expect(intervalOf(score(null))).toBe("");
  });

  it("says from how many samples scores are", () => {
    expect(describeScore(score(0.9, { nSamples: 1000 }))).toContain("chance 0.500, n 1,000");
    expect(sizeOf([score(0.9, { nSamples: 1000 }), null, score(1)])).toBe("n 1,000");
    expect(sizeOf([500, 2000, 1000].map((nSamples) => score(0.9, { nSamples })))).toBe(
      "n 500 to 2,000",
    );
    expect(sizeOf([null, score(0.9)])).toBe("");
  });

  it("says how sure a difference is", () => {
    const found = { interval: [0.04, 0.08] as [number, number], p: 0.0312, count: 30 };
    expect(describeDifference(0.06, found)).toBe(
      "+0.060, 95 % interval +0.040 to +0.080, p\u00a0=\u00a00.031, corrected for 30 comparisons",
    );
    expect([0.0001, 1].map(formatP)).toEqual(["p\u00a0<\u00a00.001", "p\u00a0=\u00a01"]);
  });

  it("writes an interval so that no dash is taken for a minus", () => {
    expect(formatInterval([0.1, 0.2])).toBe("0.100–0.200");
    expect(formatInterval([-0.1, 0.2])).toBe("\u22120.100 to 0.200");
  });

  it("tells measures of one title apart by their space", () => {
    const [a, b] = payload().measures as [never, never];
    const twin = { ...(b as object), title: "hit", space: "map" } as never;
    expect(measureTitle(a, [a, twin])).toBe("Hit, native");
    expect(measureTitle(twin, [a, twin])).toBe("Hit, on the map");
    expect(measureTitle(a, [a, b])).toBe("Hit");
  });

  it("shortens by characters, not by halves of them", () => {
    expect(shorten("😀😀😀😀", 3)).toBe("😀😀…");
    expect(shorten("abc", 3)).toBe("abc");
  });

  it("counts in one and in many", () => {
    expect([plural(1, "point", "points"), plural(2000, "point", "points")]).toEqual([
      "1 point",
      "2,000 points",
    ]);
  });
});

describe("CSV", () => {
  it("quotes what needs it and defuses formulas", () => {
    expect(
      toCsv(
        ["a", "b"],
        [
          ['say "hi", you', "=1+1"],
          [-1, "line\nbreak"],
        ],
      ),
    ).toBe('a,b\r\n"say ""hi"", you",\'=1+1\r\n-1,"line\nbreak"\r\n');
  });
});

describe("sprites", () => {
  it("takes pictures only", () => {
    expect(blobOf("data:image/png;base64,AAAA").size).toBe(3);
    expect(() => blobOf("data:text/html;base64,AAAA")).toThrow("thumbnails");
    expect(() => blobOf("https://example.org/x.png")).toThrow("thumbnails");
  });
});

describe("labelings", () => {
  const base = payload({
    labelings: [
      { name: "animal", changes: [] },
      {
        name: "size",
        changes: [
          [["classNames"], ["small", "large", "huge"]],
          [["models", 0, "layers", 0, "scores", "nh"]],
          [["models", 0, "layers", 1, "hitK"], 4],
        ],
      },
    ],
  });

  it("change what differs and share the rest", () => {
    const other = labeled(base, 1);
    expect(other.classNames).toEqual(["small", "large", "huge"]);
    expect(other.models[0]?.layers[0]?.scores).toEqual({
      probe: base.models[0]?.layers[0]?.scores["probe"],
    });
    expect(other.models[0]?.layers[1]?.hitK).toBe(4);
    expect(other.models[0]?.layers[0]?.map).toBe(base.models[0]?.layers[0]?.map);
    expect(other.models[1]).toBe(base.models[1]);
    expect(base.classNames).toHaveLength(2);
    expect(base.models[0]?.layers[0]?.scores["nh"]).toBeDefined();
    expect(labeled(base, 0)).toBe(base);
    const maps = [
      { name: "t-SNE", changes: [] },
      { name: "UMAP", changes: [[["title"], "by UMAP"]] },
    ];
    const mapped = { ...base, maps } as unknown as typeof base;
    expect(variantOf(mapped, { labeling: 1, map: 1 })).toEqual({
      ...labeled(mapped, 1),
      title: "by UMAP",
    });
    expect(variantOf(mapped, { labeling: 0, map: 0 })).toBe(mapped);
  });

  it("give unlabeled points no class", () => {
    const some = study({ labels: pack([0, 2, 1, 2], "u8"), unlabeled: 2 });
    expect(some.labelNames.at(-1)).toBe("unlabeled");
    expect(some.counts).toEqual([1, 1]);
    expect([0, 1].map((point) => some.isLabeled(point))).toEqual([true, false]);
    expect(some.labelName(1)).toBe("unlabeled");
  });

  it("read numbers, and which are missing", () => {
    const some = study({
      classNames: [],
      labels: pack([0, 0, 0, 0], "u8"),
      unlabeled: 1,
      values: { data: pack([0, 32767, 65534, 65535], "u16"), range: [10, 20] },
    });
    expect([...(some.values ?? [])]).toEqual([10, 15, 20, Number.NaN]);
    expect(some.labelName(1)).toBe("15.0");
    expect(some.isLabeled(3)).toBe(false);
    expect(some.labelNames).toEqual([]);
  });
});

describe("a page that shows only some samples", () => {
  // The first point's neighbors are 1, 2 and, as there is no third among those shown, none.
  const p = payload({ sampled: { of: 900, indices: pack([3, 40, 500, 899], "u16") } });
  const [inputs] = p.models[0]?.layers ?? [];
  Object.assign(inputs as object, {
    neighbors: { k: 3, indices: pack([1, 2, 4, 0, 2, 3, 0, 1, 3, 0, 1, 2], "u16") },
  });
  const s = new Study(p);

  it("tells points by their numbers among all samples", () => {
    expect([0, 2].map((point) => s.sampleOf(point))).toEqual([3, 500]);
    expect(s.pointsOf([500, 7, 3])).toEqual([0, 2]);
    expect(study().sampleOf(2)).toBe(2);
    expect(study().pointsOf([2, 1])).toEqual([2, 1]);
  });

  it("has no neighbors that are not shown", () => {
    const place = { model: 0, layer: 0, epoch: null };
    expect(s.neighbors(place, 0)).toEqual([1, 2]);
    expect(s.neighbors(place, 1)).toEqual([0, 2, 3]);
  });
});

describe("sentence", () => {
  it("begins with a capital letter, but where it begins with a name", () => {
    expect(sentence("no untrained control")).toBe("No untrained control.");
    expect(sentence("it is so.")).toBe("It is so.");
    expect(sentence("conv1 left out: it is empty")).toBe("conv1 left out: it is empty.");
    expect(sentence("my layer left out: it is empty")).toBe("my layer left out: it is empty.");
    expect(sentence("fc1: padding counts")).toBe("fc1: padding counts.");
    expect(sentence("the labeling 'b' is left out: all one")).toBe(
      "The labeling 'b' is left out: all one.",
    );
  });
});
