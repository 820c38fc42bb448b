/** The part of d3-contour that is used; the package has no types of its own. */
declare module "d3-contour" {
  interface Shape {
    value: number;
    coordinates: number[][][][];
  }
  interface Contours {
    (values: number[]): Shape[];
    size(size: [number, number]): Contours;
    thresholds(levels: number[]): Contours;
  }
  export function contours(): Contours;
}
