import { describe, expect, it } from "vitest";
import {
  decodeDecisions,
  encodeDecisions,
  labelsCsv,
  settleDecisions,
} from "../src/data/decisions.ts";
import { suspects } from "../src/data/suspects.ts";
import { Study } from "../src/data/study.ts";
import { areNearOne, drawn, floorOf, isNearOne } from "../src/components/scale.ts";
import { type Curve, curvesOf, placeOn } from "../src/components/series.ts";
import { initialState } from "../src/state/view-state.ts";
import { layer, pack, payload, score, study } from "./example.ts";

const here = { model: 0, epoch: null };

/** Labels 0 0 1 1; the last point and the first have neighbors of the other class. */
function tangled(): Study {
  const p = payload();
  Object.assign(p.models[0] as object, {
    layers: [
      layer("a", { neighbors: { k: 2, indices: pack([1, 2, 0, 2, 3, 0, 0, 1], "u16") } }),
      layer("b", { neighbors: { k: 2, indices: pack([1, 3, 0, 3, 3, 1, 1, 2], "u16") } }),
    ],
    suspects: {
      ...{ layers: 3, overlap: true, points: pack([3, 0], "u8"), classes: pack([0, 1], "u8") },
      ...{ votes: pack([3, 2], "u8"), shares: pack([255, 153], "u8") },
    },
  });
  return new Study(p);
}

describe("labels to check", () => {
  it("are those of the study's summary, in its order", () => {
    // The last is predicted as 0 with confidence 0.2, the first not as 1.
    const found = suspects(tangled(), here);
    expect(found).toEqual({
      layers: 3,
      overlap: true,
      found: [
        { point: 3, class: 0, votes: 3, share: 1, confidence: expect.closeTo(0.2) },
        { point: 0, class: 1, votes: 2, share: expect.closeTo(0.6), confidence: 0 },
      ],
    });
    expect(suspects(study(), here)).toEqual({ found: [], layers: 0, overlap: false });
  });

  it("are judged in the link, whatever the tag", () => {
    const decisions = { 3: { label: 0, tag: "" }, 17: { label: null, tag: "a,=b c & 100 %" } };
    expect(decodeDecisions(encodeDecisions(decisions))).toEqual(decisions);
    expect(decodeDecisions("x=1,3,=,2=9999999,4=1 %E0%A4%A")).toEqual({ 4: { label: 1, tag: "" } });
    // No such point, and no such class without a tag.
    const s = study();
    const wild = { 9: { label: 0, tag: "" }, 1: { label: 7, tag: "" }, 2: { label: 7, tag: "t" } };
    expect(settleDecisions(s, wild)).toEqual({ 2: { label: null, tag: "t" } });
  });

  it("are written as a table", () => {
    const csv = labelsCsv(study(), {
      0: { label: 0, tag: "" },
      1: { label: 1, tag: "blurred, dark" },
      2: { label: null, tag: "=1+1" },
    });
    expect(csv.split(/\r?\n/)).toEqual([
      "sample,label,class,decision,new_label,new_class,tag",
      "0,0,cat,right,0,cat,",
      `1,0,cat,relabel,1,"'=dog ""x"", y","blurred, dark"`,
      `2,1,"'=dog ""x"", y",,,,'=1+1`,
      "",
    ]);
  });
});

describe("curves", () => {
  const curve = (...values: number[]): Curve => ({
    name: "a",
    kind: "model",
    color: "",
    runs: [values.map((value, at) => ({ at, value, low: null, high: null }))],
    bridges: [],
  });

  it("of shares near 1 are drawn by their errors", () => {
    expect(isNearOne([curve(0.9, 0.98)])).toBe(true);
    expect(isNearOne([curve(0.3, 0.98)])).toBe(false);
    expect(isNearOne([curve(0.8, 0.9)])).toBe(false);
    expect(isNearOne([{ ...curve(0.9, 0.98), kind: "null" }])).toBe(false);
    expect(areNearOne([0.9, 0.98])).toBe(true);
    // 1 stands a little above the greatest share below it, and not nowhere.
    const floor = floorOf([0.9, 0.98, 1]);
    expect(floor).toBeCloseTo(0.01);
    expect(drawn(1, { errors: true, floor })).toBeCloseTo(2);
    expect(floorOf([1, 1])).toBe(1e-4);
  });

  it("are less the untrained network's, where that is known", () => {
    const p = payload();
    const [model] = p.models;
    if (!model) throw new Error();
    model.controls = [
      { name: "untrained", scores: { inputs: { nh: 0.9 }, "fc=1&2": { nh: 0.5 } } },
    ];
    const s = new Study(p);
    const how = { less: true, depth: false };
    const [own, zero] = curvesOf(s, initialState(s), "nh", "layers", ["red"], how);
    const values = own?.runs.flat().map(({ at, value, low }) => [at, Math.round(100 * value), low]);
    expect(values?.slice(0, 2)).toEqual([
      [0, 0, null],
      [1, 40, null],
    ]);
    expect(zero?.runs.flat().every(({ value }) => value === 0)).toBe(true);
  });

  it("of a model of other layers stand by their depth", () => {
    const p = payload();
    p.models[1]?.layers.splice(3);
    (p.models[1] as { layers: { name: string }[] }).layers.forEach((l, i) => (l.name = `x${i}`));
    const s = new Study(p);
    const how = { less: false, depth: true };
    const places = [0, 1, 2].map((at) => placeOn(s, 0, { model: 1, layer: at }, how));
    expect(places).toEqual([0, 1.5, 3]);
    for (const l of p.models[1]?.layers ?? []) l.scores = { nh: score(0.5) };
    const second = curvesOf(s, initialState(s), "nh", "layers", ["red", "blue"], how)[1];
    // One line, though its layers are more than a step apart.
    expect(second?.runs.map((run) => run.map(({ at }) => at))).toEqual([[0, 1.5, 3]]);
  });
});
