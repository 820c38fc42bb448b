import type { Place, Study } from "../data/study.ts";
import { ownLayer, untangling } from "../data/follow.ts";
import { Unknown, columnTest, columnWord } from "./column-search.ts";

export { quote } from "./column-search.ts";

/** What a search found, or why it could not be made. */
export type Found = { points: number[] } | { error: string };

/** Whether a point is one of those that are looked for. */
type Test = (point: number) => boolean;

const NUMBER = String.raw`(\d*\.?\d+)(\s*%)?`;
const SIGN = String.raw`(<=|>=|<|>|=)`;
const NAME = String.raw`("[^"]*"|[^\s,;]+)`;
const MOVED = new RegExp(
  String.raw`^moved\s*${SIGN}\s*${NUMBER}(?:\s+between\s+${NAME}\s+and\s+${NAME})?`,
  "i",
);
const MEASURED = new RegExp(
  String.raw`^(nh\s+on\s+map|nh|confidence|value)\s*${SIGN}\s*(-?\d*\.?\d+(?:e[+-]?\d+)?)(\s*%)?`,
  "i",
);
const FLAG = /^(wrong|correct|unlabeled)(?![\p{L}\p{N}])/iu;
const FIELD = new RegExp(String.raw`^(class|predicted|text)\s*[:=]\s*${NAME}`, "i");
const TANGLED = new RegExp(
  String.raw`^(?:untangled\s+at\s+${NAME}|(tangled\s+again|never\s+untangled)(?![\p{L}\p{N}]))`,
  "iu",
);
const SAMPLE = /^#(\d+)/;
const WORD = /^("[^"]*"|[^\s,;]+)/;
const BETWEEN = /^(?:[\s,;]+|and(?=[\s,;]|$))+/i;
const NOT = /^not\s+/i;

/** What can be looked for, for those who do not know yet. */
export const EXAMPLES = ["wrong", "NH < 0.5", "wrong and confidence > 0.9", "moved > 0.3"];

/**
 * The points that meet every condition: "wrong", "NH < 0.5", "confidence > 0.9", "predicted: cat",
 * "moved > 0.3 between fc1 and conv2", "#17", a condition on a column of the metadata, or words of
 * their class or text.
 */
export function search(study: Study, place: Place, query: string): Found {
  const tests: Test[] = [];
  const without = (text: string) => text.slice(BETWEEN.exec(text)?.[0].length ?? 0);
  let rest = without(query.trim());
  try {
    while (rest) {
      const not = NOT.exec(rest);
      if (not) rest = rest.slice(not[0].length);
      const { test, length } = next(study, place, rest);
      tests.push(not ? (point) => !test(point) : test);
      rest = without(rest.slice(length));
    }
  } catch (error) {
    if (error instanceof Unknown) return { error: error.message };
    throw error;
  }
  const points: number[] = [];
  if (tests.length)
    for (let i = 0; i < study.n; i++) if (tests.every((test) => test(i))) points.push(i);
  return { points };
}

function next(study: Study, place: Place, text: string): { test: Test; length: number } {
  const kinds: [RegExp, (found: RegExpExecArray) => Test][] = [
    [MOVED, (found) => moved(study, place, found)],
    [MEASURED, (found) => measured(study, place, found)],
    [TANGLED, (found) => tangled(study, place, found)],
    [FLAG, (found) => flagged(study, place, found)],
    [FIELD, (found) => inField(study, place, found)],
    [SAMPLE, (found) => (point) => study.sampleOf(point) === Number(found[1])],
  ];
  for (const [pattern, make] of kinds) {
    const found = pattern.exec(text);
    if (found) return { test: make(found), length: found[0].length };
  }
  const column = columnTest(study, text);
  if (column) return column;
  const word = WORD.exec(text);
  if (word) return { test: worded(study, bare(word[1] ?? "")), length: word[0].length };
  // A separator alone.
  return { test: () => true, length: 1 };
}

function compare(sign: string, than: number): (value: number) => boolean {
  // What is stored in 255 steps is as good as the number that it stands for.
  const near = 0.003 * Math.max(1, Math.abs(than));
  if (sign === "<") return (value) => value < than - 1e-6;
  if (sign === ">") return (value) => value > than + 1e-6;
  if (sign === "<=") return (value) => value <= than + near;
  if (sign === ">=") return (value) => value >= than - near;
  return (value) => Math.abs(value - than) <= near;
}

function measured(study: Study, place: Place, found: RegExpExecArray): Test {
  const [, field = "", sign = "", number = "", percent] = found;
  const holds = compare(sign, Number(number) * (percent ? 0.01 : 1));
  const what = field.toLowerCase().replace(/\s+/g, " ");
  const sources: Record<string, () => ArrayLike<number> | null> = {
    nh: () => study.hits(place),
    "nh on map": () => study.mapHits(place),
    confidence: () => study.confidence(place),
    value: () => study.values,
  };
  const values = sources[what]?.();
  if (!values) throw new Unknown(`There is no ${field} of the points here.`);
  const scored = what.startsWith("nh");
  return (point) => (!scored || study.isLabeled(point)) && holds(values[point] as number);
}

function flagged(study: Study, place: Place, [, flag = ""]: RegExpExecArray): Test {
  const what = flag.toLowerCase();
  if (what === "unlabeled") return (point) => !study.isLabeled(point);
  const predictions = study.predictions(place);
  if (!predictions) throw new Unknown("There are no predictions here.");
  return (point) =>
    study.isLabeled(point) && (predictions[point] === study.labels[point]) === (what === "correct");
}

/** From which layer on a point is with its class, or that it is not at the last. */
function tangled(study: Study, place: Place, [, name, flag]: RegExpExecArray): Test {
  const found = untangling(study, place);
  if (!found) throw new Unknown("The neighbors of points are not known at several layers here.");
  const { layers, since, again } = found;
  const labeled = (point: number) => study.isLabeled(point);
  if (flag?.toLowerCase().startsWith("tangled"))
    return (point) => labeled(point) && again[point] === 1;
  if (flag) return (point) => labeled(point) && since[point] === -1 && again[point] === 0;
  const layer = named(study, place, name ?? "");
  const at = layers.indexOf(ownLayer(study, { ...place, layer }));
  if (at < 0) throw new Unknown(`Neighbors are not known at ${bare(name ?? "")}.`);
  return (point) => labeled(point) && since[point] === at;
}

function inField(study: Study, place: Place, found: RegExpExecArray): Test {
  const [, field = "", name = ""] = found;
  const wanted = bare(name).toLocaleLowerCase();
  if (field.toLowerCase() === "text") {
    const { snippets } = study.payload;
    if (!snippets) throw new Unknown("The points have no text.");
    return (point) => (snippets[point] ?? "").toLocaleLowerCase().includes(wanted);
  }
  const codes = field.toLowerCase() === "class" ? study.labels : study.predictions(place);
  if (!codes) throw new Unknown("There are no predictions here.");
  const classes = classesOf(study, wanted);
  if (!classes.size) throw new Unknown(`There is no class “${bare(name)}”.`);
  return (point) => classes.has(codes[point] as number);
}

/** A word of the class's name, or of the point's text. */
function worded(study: Study, word: string): Test {
  const wanted = word.toLocaleLowerCase();
  const classes = classesOf(study, wanted);
  const { snippets } = study.payload;
  const other = columnWord(study, wanted);
  if (!classes.size && !snippets && !other)
    throw new Unknown(
      `There is no class “${word}”. Try ${EXAMPLES.map((e) => `“${e}”`).join(", ")}.`,
    );
  return (point) =>
    classes.has(study.labels[point] as number) ||
    (snippets?.[point] ?? "").toLocaleLowerCase().includes(wanted) ||
    (other?.(point) ?? false);
}

/** The class of this name, or else all whose names hold it. */
function classesOf(study: Study, wanted: string): Set<number> {
  const names = study.labelNames.map((name) => name.toLocaleLowerCase());
  const exact = names.indexOf(wanted);
  if (exact >= 0) return new Set([exact]);
  return new Set([...names.keys()].filter((i) => names[i]?.includes(wanted)));
}

/** How far a point is from where it was on another layer's map, as a share of the maps' width. */
function moved(study: Study, place: Place, found: RegExpExecArray): Test {
  const [, sign = "", number = "", percent, first, second] = found;
  const from = first ? named(study, place, first) : firstMap(study, place);
  const to = second ? named(study, place, second) : place.layer;
  const [one, other] = [from, to].map((layer) => study.coords({ ...place, layer }));
  const missing = !one ? from : to;
  if (!one || !other)
    throw new Unknown(`There is no map of ${study.listed({ ...place, layer: missing }).name}.`);
  const holds = compare(sign, Number(number) * (percent ? 0.01 : 1));
  return (point) =>
    holds(
      Math.hypot(
        (one.x[point] as number) - (other.x[point] as number),
        (one.y[point] as number) - (other.y[point] as number),
      ) / 2,
    );
}

function named(study: Study, { model }: Place, text: string): number {
  const name = bare(text);
  const short = study.shortNames(model).names.indexOf(name);
  const found = study.indexOf(model, name);
  if (found < 0 && short < 0) throw new Unknown(`There is no layer “${name}”.`);
  return found < 0 ? short : found;
}

function firstMap(study: Study, place: Place): number {
  const { layers } = study.model(place.model);
  return Math.max(0, [...layers.keys()].find((layer) => study.hasMap({ ...place, layer })) ?? 0);
}

function bare(text: string): string {
  return text.replace(/^"|"$/g, "");
}
