import { beforeEach, describe, expect, it } from "vitest";
import { unpack } from "../src/data/pack.ts";
import { Parts, type Skeleton } from "../src/data/parts.ts";
import type { Layer, Packed } from "../src/data/payload.ts";
import { Study } from "../src/data/study.ts";
import { layer, payload } from "./example.ts";

const BASE = "base............";
const FIRST = "first...........";
const SECOND = "second..........";

/** Parts as Python sends them: a serial number, and of each its name, its size and its bytes. */
function framed(...sent: [name: string, bytes: number[]][]): DataView {
  const found = [7, 0, 0, 0];
  for (const [name, bytes] of sent)
    found.push(...[...name].map((c) => c.charCodeAt(0)), bytes.length, 0, 0, 0, ...bytes);
  // At an odd place of a longer buffer, as a message has it.
  const whole = Uint8Array.from([255, ...found, 255]);
  return new DataView(whole.buffer, 1, found.length);
}

function at(name: string, start: number, end: number, dtype = "u16"): Packed {
  return { dtype, at: [name, start, end] } as unknown as Packed;
}

function place(name: string): Partial<Layer> {
  return {
    map: { x: at(name, 0, 8), y: at(name, 8, 16), xRange: [-1, 1], yRange: [0, 4] },
    hits: at(name, 16, 20, "u8"),
    neighbors: null,
    confusion: null,
  };
}

const MAP = [0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 85, 170, 255];
const LABELS = [0, 1, 1, 0];

function skeleton(): Skeleton {
  const found = payload();
  const [model] = found.models;
  if (!model) throw new Error("the example has a model");
  return {
    ...found,
    labels: at(BASE, 0, 4, "u8"),
    predictions: null,
    models: [
      {
        ...model,
        layers: [layer("fc1", place(FIRST)), layer("fc2", place(SECOND))],
        epochs: {
          epochs: [0, 1],
          moments: [
            { ...model, layers: [layer("fc1", place(SECOND)), { name: "fc2", unchanged: true }] },
          ],
        },
      },
    ],
    maps: [
      { name: "t-SNE", changes: [] },
      { name: "PCA", changes: [[["models", 0, "layers", 0, "map", "x"], at(SECOND, 0, 8)]] },
    ],
    parts: [
      [BASE, 4],
      [FIRST, 20],
      [SECOND, 20],
    ],
  };
}

describe("a payload in parts", () => {
  let parts: Parts;
  beforeEach(() => {
    parts = new Parts();
  });

  it("has what has come, and says what has not", () => {
    expect(parts.take(framed([BASE, LABELS], [FIRST, MAP]))).toBe(true);
    expect(parts.missing(skeleton())).toEqual([SECOND]);
    const found = new Study(parts.assemble(skeleton()));
    expect([...found.labels]).toEqual(LABELS);
    const first = { model: 0, layer: 0, epoch: null };
    expect(found.coords(first)?.x).toHaveLength(4);
    expect([...(found.hits(first) ?? [])].map((share) => Math.round(3 * share))).toEqual([
      0, 1, 2, 3,
    ]);
    for (const waiting of [
      { ...first, layer: 1 },
      { ...first, epoch: 0 },
    ]) {
      expect(found.hasMap(waiting)).toBe(false);
      expect(found.layer(waiting).pending).toBe(true);
      expect(found.layer(waiting).hulls).toBe(null);
      // Scores are text, and there from the beginning.
      expect(found.layer(waiting).scores).toEqual(layer("x").scores);
    }
    expect(found.layer(first).pending).toBe(undefined);
    expect(found.payload.maps).toBe(undefined);
  });

  it("is whole when all has come", () => {
    parts.take(framed([BASE, LABELS], [FIRST, MAP]));
    parts.take(framed([SECOND, MAP]));
    expect(parts.missing(skeleton())).toEqual([]);
    const found = parts.assemble(skeleton());
    expect(found.maps).toHaveLength(2);
    const change = found.maps?.[1]?.changes[0]?.[1] as Packed;
    expect([...unpack(change)]).toEqual([0, 65535, 0, 65535]);
    const layers = [...(found.models[0]?.layers ?? [])];
    expect(layers.every(({ pending }) => !pending)).toBe(true);
  });

  it("knows in which missing parts a layer is", () => {
    const [fc1, fc2] = skeleton().models[0]?.layers ?? [];
    parts.take(framed([FIRST, MAP]));
    expect(parts.missingOf(fc1)).toEqual([]);
    expect(parts.missingOf(fc2)).toEqual([SECOND]);
    expect(parts.missingOf(undefined)).toEqual([]);
  });

  it("takes a part once, forgets those of another payload, and refuses one that is cut", () => {
    expect(parts.take(framed([FIRST, MAP]))).toBe(true);
    expect(parts.take(framed([FIRST, MAP]))).toBe(false);
    expect(parts.take(null)).toBe(false);
    expect(parts.take(new DataView(new ArrayBuffer(0)))).toBe(false);
    parts.keep({ ...skeleton(), parts: [[BASE, 4]] });
    expect(parts.has(FIRST)).toBe(false);
    const whole = framed([SECOND, MAP]);
    const cut = new DataView(whole.buffer, whole.byteOffset, whole.byteLength - 3);
    expect(() => parts.take(cut)).toThrow("cut short");
  });
});
