import { describe, expect, it } from "vitest";
import { Column } from "../src/data/columns.ts";
import { columnFacts } from "../src/data/column-facts.ts";
import type { MetadataColumn, Packed } from "../src/data/payload.ts";
import type { Study } from "../src/data/study.ts";
import { selectionCsv } from "../src/export/selection.ts";
import { coloring, countShown } from "../src/map/coloring.ts";
import { endsOf } from "../src/map/column-coloring.ts";
import { decodeState, encodeState, missingIn } from "../src/state/links.ts";
import { quote, search } from "../src/state/search.ts";
import { initialState, settle } from "../src/state/view-state.ts";
import { pack, study } from "./example.ts";

const DAY = 86_400_000;
const inputs = { model: 0, layer: 0, epoch: null };

function floats(values: number[], dtype: "f32" | "f64"): Packed {
  const array = dtype === "f32" ? Float32Array.from(values) : Float64Array.from(values);
  return { dtype, data: Buffer.from(array.buffer).toString("base64") };
}

/** Ages 20, 30, none, 40; prices 0.1 to 0.3 in tenths; sites A, none, B, A; dates of 2024. */
function columns(): MetadataColumn[] {
  return [
    { name: "age", kind: "number", codes: pack([1, 11, 0, 21], "u8"), low: 20, step: 1, per: 1 },
    { name: "price", kind: "number", codes: pack([1, 2, 3, 3], "u8"), low: 1, step: 1, per: 10 },
    { name: "weight", kind: "number", floats: floats([0.1, Number.NaN, 1e-9, 5], "f32") },
    { name: "Site", kind: "category", codes: pack([1, 0, 2, 1], "u8"), categories: ["A", "New B"] },
    { name: "smoker", kind: "boolean", codes: pack([2, 1, 0, 2], "u8") },
    {
      name: "taken on",
      kind: "date",
      codes: pack([1, 32, 0, 33], "u8"),
      low: Date.UTC(2024, 0, 1),
      step: DAY,
      per: 1,
    },
    { name: "remark", kind: "text", texts: ["Blurred <b>", null, "fine", "fine"] },
  ];
}

function withColumns(): Study {
  return study({ metadata: columns() });
}

function find(query: string): number[] | string {
  const found = search(withColumns(), inputs, query);
  return "error" in found ? found.error : found.points;
}

describe("a column", () => {
  const column = (name: string) => withColumns().column(name) as Column;

  it("has its values, exact where they are whole steps", () => {
    expect([...(column("age").numbers ?? [])]).toEqual([20, 30, Number.NaN, 40]);
    expect([...(column("price").numbers ?? [])]).toEqual([0.1, 0.2, 0.3, 0.3]);
    expect([...(column("Site").codes ?? [])]).toEqual([0, 2, 1, 0]);
    expect([...(column("smoker").codes ?? [])]).toEqual([1, 0, 2, 1]);
  });

  it("tells them in words", () => {
    const words = (name: string) => [0, 1, 2, 3].map((point) => column(name).words(point));
    expect(words("age")).toEqual(["20", "30", "missing", "40"]);
    expect(words("Site")).toEqual(["A", "missing", "New B", "A"]);
    expect(words("smoker")).toEqual(["true", "false", "missing", "true"]);
    expect(words("taken on")).toEqual(["2024-01-01", "2024-02-01", "missing", "2024-02-02"]);
    expect(words("remark")).toEqual(["Blurred <b>", "missing", "fine", "fine"]);
  });

  it("of dates that no calendar has is told as such", () => {
    const far = new Column({ name: "d", kind: "date", floats: floats([9e15], "f64") });
    expect(far.words(0)).toBe("n/a");
    expect(far.cell(0)).toBe("n/a");
  });
});

describe("a search in columns", () => {
  it("compares numbers strictly or not, and not what is missing", () => {
    expect(find("age > 20")).toEqual([1, 3]);
    expect(find("AGE>=20")).toEqual([0, 1, 3]);
    expect(find("age = 30")).toEqual([1]);
    expect(find("age != 30")).toEqual([0, 3]);
    expect(find("age < -1e3")).toEqual([]);
    expect(find("age = missing")).toEqual([2]);
    expect(find("price <= 0.2")).toEqual([0, 1]);
    expect(find("price = 0.3")).toEqual([2, 3]);
    // 0.1 as 32 bits is more than 0.1.
    expect(find("weight > 0.1")).toEqual([3]);
    expect(find("weight <= 0.1")).toEqual([0, 2]);
  });

  it("finds categories and truth values", () => {
    expect(find("site = A")).toEqual([0, 3]);
    expect(find('site = "new b"')).toEqual([2]);
    expect(find("site: new")).toEqual([2]);
    expect(find("site != A")).toEqual([2]);
    expect(find("smoker")).toEqual([0, 3]);
    expect(find("not smoker")).toEqual([1, 2]);
    expect(find("smoker = no")).toEqual([1]);
  });

  it("finds dates by the time that they name", () => {
    expect(find("taken on < 2024-02")).toEqual([0]);
    expect(find("taken on = 2024-02")).toEqual([1, 3]);
    expect(find('"taken on" > 2024-02-01')).toEqual([3]);
    expect(find("taken on >= 2024-02-01")).toEqual([1, 3]);
    expect(find("taken on <= 2024-02-01 and age < 30")).toEqual([0]);
    expect(find("taken on = 2024")).toEqual([0, 1, 3]);
  });

  it("finds texts, and words in them", () => {
    expect(find("remark: blur")).toEqual([0]);
    expect(find("remark = fine")).toEqual([2, 3]);
    expect(find("blurred")).toEqual([0]);
    expect(find('"New B"')).toEqual([2]);
    expect(find("<b>")).toEqual([0]);
  });

  it("joins them with all other conditions", () => {
    expect(find("age > 20 and NH < 0.5")).toEqual([3]);
    expect(find("site = A, wrong")).toEqual([3]);
  });

  it("says what is not there, or has no such values", () => {
    expect(find("height > 3")).toContain("There is no column “height”. There are “age”, “price”");
    expect(find("site > 3")).toBe("“Site” has no order: write = or : instead of >.");
    expect(find("site = C")).toBe("No “Site” is “C”.");
    expect(find("age > old")).toBe("“age” holds numbers; “old” is none.");
    expect(find("taken on > yesterday")).toContain("write one as 2024-01-31, not “yesterday”");
    expect(find("taken on > 2024-13")).toContain("holds dates");
  });

  it("quotes what would be read as several words", () => {
    expect([quote("age"), quote("taken on"), quote("a<b")]).toEqual(["age", '"taken on"', '"a<b"']);
  });
});

describe("a coloring by a column", () => {
  const s = withColumns();
  const by = (name: string) => coloring(s, { ...inputs, color: `@${name}` }, false);

  it("of numbers has ends, and gray where they are missing", () => {
    const { ends, categories, entries, colors } = by("age");
    expect(ends).toEqual([20, 40]);
    expect([...categories]).toEqual([0, 32, 64, 63]);
    expect(entries.map(({ label, count }) => [label, count])).toEqual([
      ["20", 0],
      ["25", 0],
      ["30", 0],
      ["35", 0],
      ["40", 0],
      ["missing", 1],
    ]);
    expect(entries.at(-1)?.category).toBe(64);
    expect(colors).toHaveLength(65);
  });

  it("of names counts them, also of a filter", () => {
    const found = by("Site");
    const counts = (only: number[]) =>
      countShown(s, found, { classes: null, only }).map(({ label, count }) => [label, count]);
    expect(counts([])).toEqual([
      ["A", 2],
      ["New B", 1],
      ["missing", 1],
    ]);
    expect(counts([0, 1])).toEqual([
      ["A", 1],
      ["New B", 0],
      ["missing", 1],
    ]);
    expect(by("smoker").entries.map(({ count }) => count)).toEqual([1, 2, 1]);
  });

  it("of texts names the frequent ones, or how long they are where all differ", () => {
    expect(by("remark").entries.map(({ label, count }) => [label, count])).toEqual([
      ["fine", 2],
      ["Blurred <b>", 1],
      ["missing", 1],
    ]);
    const texts = study({
      metadata: [{ name: "t", kind: "text", texts: ["a", "bb", "ccc", null] }],
    });
    const { title, ends } = coloring(texts, { ...inputs, color: "@t" }, false);
    expect([title, ends]).toEqual(["t: characters", [1, 3]]);
  });

  it("of numbers with few far ones spreads its colors over most, and says so", () => {
    const numbers = Float64Array.from({ length: 1000 }, (_, i) => (i === 999 ? 1e9 : i));
    expect(endsOf(numbers)).toEqual([10, 989]);
    expect(endsOf(Float64Array.of(1, Number.NaN, 3))).toEqual([1, 3]);
  });

  it("stays in the link, which says what it lacks", () => {
    const state = { ...initialState(s), color: "@taken on" as const };
    const link = encodeState(s, state);
    expect(settle(s, { ...initialState(s), ...decodeState(s, link) })).toEqual(state);
    expect(missingIn(s, "#color=@gone")).toEqual(["column “gone”"]);
    expect(settle(s, { ...initialState(s), color: "@gone" }).color).toBe("class");
  });
});

describe("the values of a selection", () => {
  const s = withColumns();
  const facts = (name: string, selection: number[]) => {
    const column = s.column(name);
    return column && columnFacts(column, s.n, selection);
  };

  it("stand beside those of the rest", () => {
    // Of points 0 and 3 both are of A; of 1 and 2 one is missing and one of B: nothing in common.
    const found = facts("Site", [0, 3]);
    expect(found?.distance).toBe(1);
    expect(found?.bars.map(({ label, own, rest }) => [label, own, rest])).toEqual([
      ["A", 1, 0],
      ["New B", 0, 0.5],
      ["missing", 0, 0.5],
    ]);
    // Of 0 and 1 one, and of 2 and 3 one is true.
    expect(facts("smoker", [0, 1])?.distance).toBe(0.5);
  });

  it("of numbers are in twenty bars", () => {
    const found = facts("age", [1, 2]);
    expect(found?.ends).toEqual(["20", "40"]);
    expect(found?.bars).toHaveLength(21);
    expect(found?.bars[10]).toMatchObject({ own: 0.5, rest: 0, count: 1 });
    expect(found?.bars[20]).toMatchObject({ label: "missing", own: 0.5, rest: 0 });
  });

  it("are columns of its table", () => {
    const lines = selectionCsv(s, inputs, [2, 3]).split("\n");
    expect(lines[0]).toContain("age,price,weight,Site,smoker,taken on,remark");
    expect(lines[1]).toContain(",,0.3,1e-9,New B,,,fine");
    expect(lines[2]).toContain(",40,0.3,5,A,true,2024-02-02T00:00:00,fine");
  });
});
