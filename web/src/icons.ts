import { s } from "./dom.ts";

const PATHS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
  lasso:
    "M12 4c4.7 0 8 2.4 8 5.5S16.700 15 12 15s-8-2.400-8-5.500S7.300 4 12 4zM8 14.500c-1.500 1-1.500 3 .5 3.500s2 2 .5 3",
  trail:
    "M4 19a1.500 1.500 0 103 0 1.500 1.500 0 10-3 0M7 18.500c4-1 2-6 6-7s5-1 5.500-4M17 5a1.800 1.800 0 103.600 0 1.800 1.800 0 10-3.600 0",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  back: "M14.500 5L7.500 12l7 7",
  on: "M9.500 5l7 7-7 7",
  screen:
    "M8 3H3v5M16 3h5v5M21 16v5h-5M8 21H3v-5M8.500 8.500L3 3M15.500 8.500L21 3M15.500 15.500L21 21M8.500 15.500L3 21",
  compare: "M4 5h7v14H4zM13 5h7v14h-7z",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
  moon: "M19.500 14.500A8 8 0 119.500 4.500a6.500 6.500 0 0010 10z",
  close: "M6 6l12 12M18 6L6 18",
  bookmark: "M6.500 4h11v16.500L12 16.200 6.500 20.500z",
  save: "M12 4v11M7.500 11l4.500 4.500L16.500 11M5 20h14",
  help: "M9.200 9a2.900 2.900 0 115 2c-1.100.800-2.200 1.400-2.200 3M12 17.400v.100M12 3a9 9 0 100 18 9 9 0 000-18z",
  hand: "M12 3v18M3 12h18M12 3L9.500 5.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500",
} as const;

const FILLED = new Set(["play", "pause"]);

export function icon(name: keyof typeof PATHS): SVGSVGElement {
  const path = s("path", { d: PATHS[name] });
  const kind = FILLED.has(name) ? "icon filled" : "icon";
  return s("svg", { class: kind, viewBox: "0 0 24 24", "aria-hidden": "true" }, path);
}
