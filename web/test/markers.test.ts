import vertexOf from "../node_modules/regl-scatterplot/src/point.vs?raw";
import fragment from "../node_modules/regl-scatterplot/src/point.fs?raw";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { toSvg } from "../src/export/svg.ts";
import { sceneOf } from "../src/export/scene.ts";
import {
  MARKERS,
  markerIcon,
  markerOf,
  markerPath,
  markerRenderer,
  markerSize,
  shapedColor,
  withMarkers,
} from "../src/map/markers.ts";
import { initialState } from "../src/state/view-state.ts";
import { study } from "./example.ts";

beforeAll(() => {
  // There is no canvas to measure text with.
  const pen = { measureText: (text: string) => ({ width: 8 * text.length }) };
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(pen as never);
});

describe("shapes of points", () => {
  it("are others for as many classes as have colors of their own", () => {
    expect(new Set([...MARKERS.keys()].map(markerOf)).size).toBe(10);
    expect(markerOf(13)).toBe(markerOf(3));
    const drawn = MARKERS.map((marker) => markerPath(marker, 0, 0, 10));
    expect(new Set(drawn).size).toBe(10);
  });

  it("stay within their radius, but for corners, and are large enough to be told", () => {
    for (const marker of MARKERS) {
      const numbers = markerPath(marker, 0, 0, 10).match(/-?[\d.]+/g) ?? [];
      expect(Math.max(...numbers.map((value) => Math.abs(Number(value))))).toBeLessThanOrEqual(10);
    }
    expect([markerSize(2), markerSize(8)]).toEqual([6, 10.8]);
  });

  it("are put into the programs of the library that draws points", () => {
    const made = withMarkers({ vert: vertexOf, frag: fragment, count: 3 });
    expect(made.frag).toContain("beyond(c)");
    expect(made.vert).toContain("marker = floor((1.0 - color.a)");
    expect(made.count).toBe(3);
  });

  it("leave other programs alone", () => {
    const other = { vert: "void main() {}", frag: "void main() {}" };
    expect(withMarkers(other)).toBe(other);
    const functions = { frag: () => "" };
    expect(withMarkers(functions)).toBe(functions);
  });

  it("reach the library by the renderer that it is given", () => {
    const given: unknown[] = [];
    const regl = Object.assign(
      (programs: unknown) => {
        given.push(programs);
        return "a command";
      },
      { texture: () => "a texture" },
    );
    const renderer = markerRenderer({
      get regl() {
        return regl;
      },
      destroy: () => "gone",
    });
    expect(renderer.regl({ vert: vertexOf, frag: fragment })).toBe("a command");
    expect((given[0] as { frag: string }).frag).toContain("beyond(c)");
    expect([renderer.regl.texture(), renderer.destroy()]).toEqual(["a texture", "gone"]);
  });

  it("go with a color as its opacity", () => {
    expect(shapedColor("#ff0033", "circle")).toEqual([1, 0, 0.2, 1]);
    const codes = MARKERS.map((marker) =>
      Math.floor((1 - shapedColor("#000000", marker)[3]) * 16 + 0.5),
    );
    expect(codes).toEqual([...MARKERS.keys()]);
  });

  it("are in the legend and in saved pictures", () => {
    expect(markerIcon("plus", "#112233").querySelector("path")?.getAttribute("d")).toContain("M");
    const s = study();
    const affine = { kx: 100, ky: -100, tx: 100, ty: 100 };
    const looks = [{ place: { model: 0, layer: 0, epoch: null }, affine, width: 200, height: 200 }];
    const picture = (change: object) =>
      new DOMParser().parseFromString(
        toSvg(sceneOf(s, { ...initialState(s), names: false, ...change }, false, looks)),
        "image/svg+xml",
      );
    const [plain, shaped] = [picture({}), picture({ shapes: true })];
    expect(plain.querySelectorAll("path").length).toBe(0);
    // Points of the second class, and an entry of each; those of the first are circles.
    const count = s.labels.filter((label) => label === 1).length;
    expect(shaped.querySelectorAll("path").length).toBe(count + 2);
    expect(shaped.querySelectorAll("circle").length).toBe(s.n - count);
    const other = picture({ shapes: true, color: "hit" });
    expect(other.querySelectorAll("path").length).toBe(0);
  });
});
