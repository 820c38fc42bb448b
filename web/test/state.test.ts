import { describe, expect, it, vi } from "vitest";
import { choose } from "../src/components/legend.ts";
import { sameLayer } from "../src/components/series.ts";
import { decodeSelection, decodeState, encodeSelection, encodeState } from "../src/state/links.ts";
import { Store, same } from "../src/state/store.ts";
import {
  type ViewState,
  colors,
  defaultMeasures,
  initialState,
  scoreOf,
  settle,
} from "../src/state/view-state.ts";
import { layer, pack, payload, score, study } from "./example.ts";

describe("the store", () => {
  it("tells listeners of changes, not of repetitions", () => {
    const store = new Store({ a: 1, list: [1, 2] });
    const listener = vi.fn();
    const stop = store.subscribe(listener);
    store.set({ a: 1, list: [1, 2] });
    expect(listener).not.toHaveBeenCalled();
    store.set({ list: [1] });
    expect(listener).toHaveBeenCalledWith({ a: 1, list: [1] }, { a: 1, list: [1, 2] });
    stop();
    store.set({ a: 2 });
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it("watches single keys, from the start", () => {
    const store = new Store({ a: 1, b: 1 });
    const listener = vi.fn();
    store.watch(["a"], listener);
    store.set({ b: 2 });
    store.set({ a: 2 });
    expect(listener.mock.calls.map(([now]) => now)).toEqual([
      { a: 1, b: 1 },
      { a: 2, b: 2 },
    ]);
  });

  it("compares by content", () => {
    expect(same({ a: [1, null] }, { a: [1, null] })).toBe(true);
    expect(same({ a: 1 }, { a: 1, b: 2 })).toBe(false);
    expect(same([1], { 0: 1 })).toBe(false);
    expect(same(null, {})).toBe(false);
  });
});

describe("the view's state", () => {
  it("begins at the first layer that has a map", () => {
    const p = payload();
    Object.assign(p.models[0]?.layers[0] ?? {}, { map: null });
    expect(initialState(study({ models: p.models })).layer).toBe(1);
  });

  it("settles whatever is asked for", () => {
    const s = study();
    const wild = {
      ...initialState(s),
      model: 9,
      layer: 99,
      epoch: 3,
      other: { model: -1, layer: 2.5, epoch: 7 },
      color: "nonsense",
      overlays: ["hulls", "x"],
      classes: [1, 1, 7],
      selection: [3, 1, 3, -1, 4],
      focus: 4,
      measures: ["probe", "probe", "unknown"],
      worst: -1,
    } as unknown as ViewState;
    expect(settle(s, wild)).toEqual({
      model: 1,
      decisions: {},
      views: [],
      shapes: false,
      trails: false,
      only: [],
      onlyBy: "",
      layer: 3,
      epoch: null,
      other: { model: 0, layer: 0, epoch: null },
      color: "class",
      overlays: ["hulls"],
      names: true,
      classes: [1],
      selection: [1, 3],
      focus: null,
      measures: ["probe"],
      worst: null,
      find: "",
      against: [],
      errors: null,
      zoom: null,
      bare: false,
    });
  });

  it("takes all classes for no filter", () => {
    const s = study();
    expect(settle(s, { ...initialState(s), classes: [0, 1] }).classes).toBeNull();
  });

  it("offers only the colorings there is data for", () => {
    const p = payload();
    for (const m of p.models) m.predictions = null;
    expect(colors(study({ models: p.models }), 0)).toEqual(["class", "hit"]);
  });

  it("chooses the measures people look at first, or else the first ones", () => {
    expect(defaultMeasures(study())).toEqual(["nh", "probe"]);
    const names = ["z", "neighborhood_hit_map", "neighborhood_hit", "capacity_radius", "capacity"];
    const measures = names.map((name) => ({
      name,
      title: name,
      family: "f",
      space: name.endsWith("map") ? "map" : "native",
      better: null,
      range: [null, null] as [null, null],
    }));
    expect(defaultMeasures(study({ measures }))).toEqual([
      "neighborhood_hit",
      "neighborhood_hit_map",
      "capacity",
    ]);
    expect(defaultMeasures(study({ measures: measures.slice(0, 1) }))).toEqual(["z"]);
  });

  it("reads the score of an epoch, and says where it has none", () => {
    const s = withEpochs();
    const at = (epoch: number) => ({ model: 0, layer: 0, epoch });
    expect(scoreOf(s, at(0), "nh")?.value).toBe(0.3);
    expect(scoreOf(s, at(1), "nh")?.value).toBe(0.9);
    expect(scoreOf(s, at(0), "probe")).toMatchObject({
      value: null,
      reason: "not measured at this layer at epoch 1",
    });
    expect(initialState(s).epoch).toBe(1);
  });
});

/** The first model at epoch 1, of which only the inputs are known, and 5, the end. */
function withEpochs() {
  const p = payload();
  const then = layer("inputs", { scores: { nh: score(0.3) } });
  const moment = {
    accuracy: 0.5,
    predictions: null,
    confidence: null,
    layers: [then],
    controls: [],
  };
  Object.assign(p.models[0] ?? {}, { epochs: { epochs: [1, 5], moments: [moment] } });
  return study({ models: p.models });
}

describe("links", () => {
  const s = study();
  const start = initialState(s);

  it("say what differs from a page just opened, so that it can be read", () => {
    expect(encodeState(s, start)).toBe("layer=inputs");
    const state = { ...start, layer: 3, classes: [0], overlays: ["hulls", "ellipses"] as const };
    expect(encodeState(s, { ...state, overlays: [...state.overlays] })).toBe(
      "layer=bare&overlays=hulls,ellipses&classes=0",
    );
  });

  it("restore every part of the state", () => {
    const state: ViewState = {
      model: 1,
      layer: 1,
      epoch: null,
      other: { model: 0, layer: 2, epoch: null },
      color: "hit",
      overlays: ["peeled"],
      names: false,
      shapes: true,
      trails: true,
      decisions: { 1: { label: 1, tag: "a, =b & “c”" }, 3: { label: null, tag: "x" } },
      views: [{ name: "</script>&=,%", note: "one\ntwo", at: "layer=fc%3D1%262&zoom=2,0,0" }],
      classes: [1],
      selection: [0, 1, 3],
      only: [0, 2],
      onlyBy: "age > 30 @ inputs",
      focus: 2,
      measures: [],
      worst: 1,
      find: "wrong, NH < 0.5",
      against: [2],
      errors: true,
      zoom: [2.5, 0.1, -0.25],
      bare: true,
    };
    const link = encodeState(s, state);
    expect(link).toContain("layer=fc%3D1%262");
    expect(settle(s, { ...start, ...decodeState(s, `#${link}`) })).toEqual(state);
  });

  it("hold an epoch for each map", () => {
    const s = withEpochs();
    const start = initialState(s);
    const round = (state: ViewState) => {
      const link = encodeState(s, state);
      expect(settle(s, { ...start, ...decodeState(s, link) })).toEqual(state);
      return link;
    };
    const other = (epoch: number) => ({ model: 0, layer: 0, epoch });
    expect(round({ ...start, epoch: 0, other: other(1) })).toBe(
      "layer=inputs&epoch=1&beside=inputs&beside-epoch=5",
    );
    expect(round({ ...start, other: other(0) })).toBe("layer=inputs&beside=inputs&beside-epoch=1");
    expect(round({ ...start, epoch: 0, other: other(0) })).toBe(
      "layer=inputs&epoch=1&beside=inputs",
    );
  });

  it("pass over what is unknown or broken", () => {
    const link = "#layer=gone&color=pink&classes=a,-1&selection=x,9-&point=1e9&=&%&worst=%E0%A4%A";
    expect(settle(s, { ...start, ...decodeState(s, link) })).toEqual(start);
    expect(decodeState(s, "")).toEqual({});
  });

  it("tell layers of one name apart by their place", () => {
    const p = payload();
    for (const l of p.models[0]?.layers ?? []) l.name = "same";
    const twins = study({ models: p.models });
    const link = encodeState(twins, { ...initialState(twins), layer: 2 });
    expect(link).toBe("layer=*3");
    expect(decodeState(twins, link).layer).toBe(2);
  });

  it("hold few points as runs and many as bits", () => {
    expect(encodeSelection([1, 2, 3, 7], 10)).toBe("1-3,7");
    expect(decodeSelection("1-3,7", 10)).toEqual([1, 2, 3, 7]);
    const many = Array.from({ length: 1000 }, (_, i) => 3 * i);
    const text = encodeSelection(many, 3000);
    expect(text.startsWith("~")).toBe(true);
    expect(text.length).toBeLessThan(520);
    expect(decodeSelection(text, 3000)).toEqual(many);
    expect(decodeSelection("~%%%", 3000)).toEqual([]);
  });

  it("do not count to what a hostile link asks for", () => {
    expect(decodeSelection("0-999999999", 5)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("choosing classes", () => {
  it("shows one alone, all again, and several", () => {
    expect(choose(null, 2, false)).toEqual([2]);
    expect(choose([2], 2, false)).toBeNull();
    expect(choose([2], 1, false)).toEqual([1]);
    expect(choose([2], 1, true)).toEqual([1, 2]);
    expect(choose([2], 2, true)).toBeNull();
  });
});

describe("the same layer of another model", () => {
  it("goes by name, else by place", () => {
    const p = payload();
    const other = p.models[1] as (typeof p.models)[number];
    other.layers = other.layers.slice(0, 2).map((l, i) => ({ ...l, name: i ? "x" : "inputs" }));
    const s = study({ models: p.models });
    expect(sameLayer(s, 1, 0, 0)).toBe(0);
    expect(sameLayer(s, 0, 1, 1)).toBe(3);
  });
});

it("packs as the tests believe", () => {
  expect(pack([258], "u16").data).toBe(btoa("\x02\x01"));
});
