import type { Layer, Packed, PackedConfusion, Payload, Score } from "../src/data/payload.ts";
import { Study } from "../src/data/study.ts";

export function pack(values: number[], dtype: "u8" | "u16" | "u32"): Packed {
  const width = { u8: 1, u16: 2, u32: 4 }[dtype];
  const bytes = Buffer.alloc(values.length * width);
  values.forEach((value, i) => bytes.writeUIntLE(value, i * width, width));
  return { dtype, data: bytes.toString("base64") };
}

/** A table of shares as the payload has it. */
export function packConfusion(table: number[][]): PackedConfusion {
  const kept = table.map((row) => row.flatMap((share, j) => (share > 0 ? [{ share, j }] : [])));
  return {
    lengths: pack(
      kept.map((row) => row.length),
      "u16",
    ),
    columns: pack(
      kept.flat().map(({ j }) => j),
      "u16",
    ),
    shares: pack(
      kept.flat().map(({ share }) => Math.round(share * 65535)),
      "u16",
    ),
  };
}

export function score(value: number | null, more: Partial<Score> = {}): Score {
  return {
    value,
    interval: value === null ? null : [value - 0.01, value + 0.01],
    null: 0.5,
    nullInterval: null,
    perClass: null,
    notes: [],
    ...more,
  };
}

export function layer(name: string, more: Partial<Layer> = {}): Layer {
  return {
    name,
    kind: "Dense",
    shape: [2],
    sameAs: null,
    notes: [],
    map: {
      x: pack([0, 65535, 0, 65535], "u16"),
      y: pack([0, 0, 65535, 65535], "u16"),
      xRange: [-10, 10],
      yRange: [0, 10],
    },
    klDivergence: 1,
    hits: pack([255, 170, 85, 0], "u8"),
    mapHits: null,
    neighbors: { k: 3, indices: pack([1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2], "u16") },
    confusion: packConfusion([
      [0.75, 0.25],
      [0.5, 0.5],
    ]),
    hulls: [
      [
        [
          [-10, 0],
          [10, 0],
          [10, 10],
        ],
      ],
      [],
    ],
    peeled: null,
    ellipses: [{ center: [0, 5], axes: [4, 2], angle: 0 }, null],
    scores: { nh: score(0.9), probe: score(null, { reason: "two points only" }) },
    ...more,
  };
}

/** Four points of two classes; a view, and a layer without a map. */
export function payload(more: Partial<Payload> = {}): Payload {
  const nothing = {
    map: null,
    hits: null,
    neighbors: null,
    confusion: null,
    hulls: null,
    ellipses: null,
    scores: {},
  };
  const model = (name: string) => ({
    name,
    accuracy: 0.75,
    predictions: pack([0, 0, 1, 0], "u8"),
    confidence: pack([255, 204, 153, 51], "u8"),
    layers: [
      layer("inputs"),
      layer("fc=1&2"),
      layer("view", { ...nothing, sameAs: "fc=1&2" }),
      layer("bare", nothing),
    ],
    epochs: null,
    controls: [],
  });
  return {
    format: 3,
    title: "Example",
    unknot: "0",
    nSamples: 4,
    classNames: ["cat", '=dog "x", y'],
    labels: pack([0, 0, 1, 1], "u8"),
    predictions: null,
    confidence: null,
    thumbnails: null,
    snippets: null,
    measures: [
      { name: "nh", title: "hit", family: "f", space: "native", better: "more", range: [0, 1] },
      {
        name: "probe",
        title: "probe",
        family: "f",
        space: "native",
        better: "more",
        range: [0, 1],
      },
    ],
    models: [model("a"), model("b")],
    figure: null,
    settings: {},
    ...more,
  };
}

export function study(more: Partial<Payload> = {}): Study {
  return new Study(payload(more));
}
