import { describe, expect, it } from "vitest";
import { Study } from "../src/data/study.ts";
import { accuracyOf, hitsOver, mistakesOf } from "../src/data/selection-facts.ts";
import { decodeState, encodeState, missingIn } from "../src/state/links.ts";
import { type Found, search } from "../src/state/search.ts";
import { initialState } from "../src/state/view-state.ts";
import { layer, pack, payload, study } from "./example.ts";

const inputs = { model: 0, layer: 0, epoch: null };
const words = { snippets: ["a big Cat", "small cat", "no", "dog, bites <b>man</b>"] };

function points(found: Found): number[] {
  if ("error" in found) throw new Error(found.error);
  return found.points;
}

function find(query: string, more = {}): number[] {
  return points(search(study(more), inputs, query));
}

describe("a search", () => {
  // Labels 0 0 1 1, predictions 0 0 1 0, hits 1, 2/3, 1/3, 0, confidence 1, 0.8, 0.6, 0.2.
  it("finds by predictions", () => {
    expect(find("wrong")).toEqual([3]);
    expect(find("correct")).toEqual([0, 1, 2]);
    expect(find("not wrong")).toEqual([0, 1, 2]);
    expect(find("predicted: cat")).toEqual([0, 1, 3]);
  });

  it("finds by numbers, strictly or not, as shares or percentages", () => {
    expect(find("NH < 0.5")).toEqual([2, 3]);
    expect(find("nh<=33%")).toEqual([3]);
    expect(find("NH <= 0.334")).toEqual([2, 3]);
    expect(find("confidence > 0.8")).toEqual([0]);
    expect(find("confidence >= 80 %")).toEqual([0, 1]);
  });

  it("finds by class and text, a name before its parts", () => {
    expect(find("cat")).toEqual([0, 1]);
    expect(find("CAT", words)).toEqual([0, 1]);
    expect(find("class: cat", words)).toEqual([0, 1]);
    expect(find("text: cat", words)).toEqual([0, 1]);
    expect(find('"big cat"', words)).toEqual([0]);
    expect(find("<b>man", words)).toEqual([3]);
    expect(find("nothing", words)).toEqual([]);
  });

  it("finds by several conditions at once", () => {
    expect(find("NH < 0.5 and wrong")).toEqual([3]);
    expect(find("NH < 0.5, correct")).toEqual([2]);
    expect(find("cat confidence>0.9")).toEqual([0]);
    expect(find("#2")).toEqual([2]);
    expect(find("")).toEqual([]);
    expect(find(" , and ")).toEqual([]);
  });

  it("finds what moved between two maps", () => {
    const p = payload();
    // The first point goes from one end of the map, which is as wide as its points, to the other.
    const moved = layer("to", {
      map: {
        x: pack([65535, 65535, 0, 65535], "u16"),
        y: pack([0, 0, 65535, 65535], "u16"),
        xRange: [-10, 10],
        yRange: [0, 10],
      },
    });
    (p.models[0] as { layers: unknown[] }).layers[1] = moved;
    const s = new Study(p);
    const at = { ...inputs, layer: 1 };
    expect(points(search(s, at, "moved > 0.9 between inputs and to"))).toEqual([0]);
    expect(points(search(s, at, "moved > 0.9"))).toEqual([0]);
    expect(points(search(s, at, "moved > 0.95"))).toEqual([]);
    expect(points(search(s, at, "moved < 0.1 between to and inputs and cat"))).toEqual([1]);
  });

  it("says what is not there", () => {
    const wrong = (query: string, more = {}) => {
      const found = search(study(more), inputs, query);
      return "error" in found ? found.error : found.points;
    };
    expect(wrong("zebra")).toContain("There is no class “zebra”");
    expect(wrong("class: zebra", words)).toBe("There is no class “zebra”.");
    expect(wrong("moved > 1 between inputs and nowhere")).toBe("There is no layer “nowhere”.");
    expect(wrong("moved > 1 between inputs and bare")).toBe("There is no map of bare.");
    expect(wrong("value > 3")).toBe("There is no value of the points here.");
    expect(wrong("NH on map < 1")).toBe("There is no NH on map of the points here.");
  });
});

describe("what is selected", () => {
  const s = study();

  it("has its accuracy, mistakes and hits over the layers", () => {
    expect(accuracyOf(s, inputs, [2, 3])).toBe(0.5);
    expect(accuracyOf(s, inputs, [])).toBeNull();
    expect(mistakesOf(s, inputs, [0, 2, 3])).toEqual([{ label: 1, predicted: 0, count: 1 }]);
    const over = hitsOver(s, inputs, [0, 3]);
    expect(over).toEqual([0.5, 0.5, 0.5, null]);
  });
});

describe("a link", () => {
  const s = study();
  const start = initialState(s);

  it("tells what it names and the page does not have", () => {
    expect(missingIn(s, "#layer=gone&measures=nh,other&model=a")).toEqual([
      "layer “gone”",
      "measure “other”",
    ]);
    expect(missingIn(s, `#${encodeState(s, { ...start, layer: 1, measures: ["nh"] })}`)).toEqual(
      [],
    );
  });

  it("of measures that are not here leaves the usual ones", () => {
    expect(decodeState(s, "#measures=other").measures).toBeUndefined();
    expect(decodeState(s, "#measures=other,nh").measures).toEqual(["nh"]);
    expect(decodeState(s, "#measures=").measures).toEqual([]);
  });
});
