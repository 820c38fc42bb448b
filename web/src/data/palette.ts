/** Colors for classes, on light and on dark ground, told apart by every kind of color vision. */

/** The palette of the figures, found for white paper; its reasons stand with it there. */
const LIGHT = [
  "#092f94",
  "#ffc629",
  "#49a7f7",
  "#a94703",
  "#e0829e",
  "#889d06",
  "#8852c1",
  "#70004d",
  "#00726f",
  "#4defcf",
];
/** Found in the same way among colors light enough for dark ground: the least distance is 0.119. */
const DARK = [
  "#6a5bfb",
  "#fcf725",
  "#68a1f4",
  "#efba88",
  "#d5354c",
  "#a6a52d",
  "#9f5aaf",
  "#e0749c",
  "#42d5e6",
  "#a7fde4",
];

const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** Lightness and chroma of each in turn: neighbors in the list differ in lightness too. */
const LIGHT_SHADES = [
  [0.48, 0.15],
  [0.78, 0.13],
  [0.38, 0.11],
  [0.66, 0.15],
] as const;
const DARK_SHADES = [
  [0.7, 0.14],
  [0.88, 0.11],
  [0.6, 0.14],
  [0.79, 0.14],
] as const;

const found = new Map<string, string[]>();

export function classColors(count: number, dark: boolean): string[] {
  if (count <= LIGHT.length) return (dark ? DARK : LIGHT).slice(0, count);
  const key = `${count}${dark}`;
  const colors = found.get(key) ?? manyColors(count, dark);
  found.set(key, colors);
  return [...colors];
}

function manyColors(count: number, dark: boolean): string[] {
  const shades = dark ? DARK_SHADES : LIGHT_SHADES;
  return Array.from({ length: count }, (_, i) => {
    const [lightness, chroma] = shades[i % shades.length] as readonly [number, number];
    return oklch(lightness, chroma, 2 * Math.PI * (0.72 + i * GOLDEN));
  });
}

/** Of points without a label: neither a class nor the ground. */
export function unlabeledColor(dark: boolean): string {
  return dark ? "#5b6168" : "#b9bdc3";
}

/** The colors of the classes, and that of the unlabeled. */
export function labelColors(classes: number, dark: boolean): string[] {
  return [...classColors(classes, dark), unlabeledColor(dark)];
}

/** Numbers from the least to the greatest: equal steps look equal, and no color is gray. */
export function valueColors(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const at = (i / Math.max(1, count - 1)) * (VIRIDIS.length - 1);
    const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
    return mix(VIRIDIS[low] as string, VIRIDIS[low + 1] as string, at - low);
  });
}

/** As the figures have it. */
const VIRIDIS = [
  "#440154",
  "#482475",
  "#414487",
  "#355f8d",
  "#2a788e",
  "#21918c",
  "#22a884",
  "#44bf70",
  "#7ad151",
  "#bddf26",
  "#fde725",
];

/** Low values stand out from the ground, high ones recede: what is tangled is seen first. */
export function shareColors(dark: boolean, count: number): string[] {
  const ramp = dark ? DARK_RAMP : LIGHT_RAMP;
  return Array.from({ length: count }, (_, i) => {
    const at = (i / Math.max(1, count - 1)) * (ramp.length - 1);
    const low = Math.min(Math.floor(at), ramp.length - 2);
    return mix(ramp[low] as string, ramp[low + 1] as string, at - low);
  });
}

/** Lightness goes one way only, which every kind of color vision sees. */
const LIGHT_RAMP = [
  "#4b0a5c",
  "#84105f",
  "#b8265a",
  "#de4f47",
  "#ec7f3c",
  "#e8a352",
  "#dbbb78",
  "#ccd6e0",
];
const DARK_RAMP = [
  "#fff6b0",
  "#ffd760",
  "#ffac4c",
  "#f77d50",
  "#d8566c",
  "#a5467e",
  "#70497f",
  "#4a5566",
];

function mix(from: string, to: string, share: number): string {
  const channel = (at: number) => {
    const [a, b] = [from, to].map((hex) => Number.parseInt(hex.slice(at, at + 2), 16));
    return Math.round((a as number) * (1 - share) + (b as number) * share)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${channel(1)}${channel(3)}${channel(5)}`;
}

export function correctColors(dark: boolean): { right: string; wrong: string } {
  return dark ? { right: "#56687c", wrong: "#ff9a3d" } : { right: "#b4c0cc", wrong: "#c43c00" };
}

/** The lines of a comparison: the first is what is shown, the second what is beside it. */
export function lineColors(dark: boolean): [string, string, string] {
  return dark ? ["#8ab4ff", "#ff9e64", "#c79bff"] : ["#1f4fc4", "#b44a00", "#7a3fb0"];
}

/** From cylindrical OKLab to sRGB, with less chroma where the color is out of its gamut. */
export function oklch(lightness: number, chroma: number, hue: number): string {
  for (let c = chroma; ; c *= 0.9) {
    const rgb = linear(lightness, c * Math.cos(hue), c * Math.sin(hue));
    if (c < 0.01 || rgb.every((v) => v >= -1e-4 && v <= 1.0001)) return toHex(rgb);
  }
}

function linear(L: number, a: number, b: number): [number, number, number] {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

function toHex(rgb: [number, number, number]): string {
  const byte = (value: number) => {
    const v = Math.min(1, Math.max(0, value));
    const encoded = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
    return Math.round(encoded * 255)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${rgb.map(byte).join("")}`;
}

/** Relative luminance, 0 for black to 1 for white. */
export function luminance(hex: string): number {
  const channel = (at: number) => {
    const v = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

/** Contrast of two colors, from 1 to 21, as WCAG has it. */
export function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** Black or white, whichever reads better on a color: the contrast is 4.5 at least. */
export function inkOn(hex: string): string {
  return contrast(hex, "#ffffff") > contrast(hex, "#000000") ? "#ffffff" : "#000000";
}

/** A color as text on a ground: as it is, or so much darker or lighter that it can be read. */
export function readable(hex: string, dark: boolean): string {
  const key = `${hex}${dark}`;
  const known = inks.get(key) ?? darkened(hex, dark);
  inks.set(key, known);
  return known;
}

const inks = new Map<string, string>();

function darkened(hex: string, dark: boolean): string {
  const [ground, ink] = dark ? ["#14171a", "#ffffff"] : ["#ffffff", "#000000"];
  for (let share = 0; share < 1; share += 0.05) {
    const tried = mix(hex, ink, share);
    if (contrast(tried, ground) >= 4.5) return tried;
  }
  return ink;
}

/** From the ground, for nothing, to the strongest color, for 1. */
export function heatColor(strength: number, dark: boolean): string {
  return dark ? mix("#1e2327", "#8ab4ff", strength) : mix("#f3f5f8", "#1a46b4", strength);
}
