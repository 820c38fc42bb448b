import type { Column } from "../data/columns.ts";
import { listOf, shorten } from "../data/format.ts";
import type { Study } from "../data/study.ts";

type Test = (point: number) => boolean;

/** What a query names and the page does not have. */
export class Unknown extends Error {}

const SIGN = /^\s*(<=|>=|!=|<|>|=|:)\s*/;
const VALUE = /^("[^"]*"|[^\s,;]+)/;
const NAMED = /^("[^"]+"|[^\s,;<>=!:"]+)\s*(?:(<=|>=|<|>)\s*[-+.\d]|(!=|=)\s*\S)/;
const DATE = /^(\d{4})(?:-(\d\d?)(?:-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d))?)?)?)?$/;
/** So many columns are named where there is no such one, so long at most. */
const [LISTED, LONG] = [6, 30];

/** A name or value as it is written in a query. */
export function quote(text: string): string {
  return /^[\p{L}\p{N}_.\-+]+$/u.test(text) ? text : `"${text}"`;
}

/** A condition on a column, such as "age > 30", at the beginning of a query; null where there is none. */
export function columnTest(study: Study, text: string): { test: Test; length: number } | null {
  for (const column of byLength(study)) {
    const length = nameLength(text, column.name);
    if (!length) continue;
    const sign = SIGN.exec(text.slice(length));
    const at = length + (sign?.[0].length ?? 0);
    const value = sign && VALUE.exec(text.slice(at));
    if (sign && value) {
      const test = conditionOn(column, sign[1] ?? "", (value[1] ?? "").replace(/^"|"$/g, ""));
      return { test, length: at + value[0].length };
    }
    if (!sign && column.kind === "boolean" && !study.classNames.includes(column.name)) {
      const { codes } = column;
      return { test: (point) => codes?.[point] === 1, length };
    }
  }
  const [, name, ordered, equal] = NAMED.exec(text) ?? [];
  if (name === undefined || !(ordered || (equal && study.columns.length))) return null;
  throw new Unknown(`There is no column “${name.replace(/^"|"$/g, "")}”.${columnsOf(study)}`);
}

function byLength({ columns }: Study): Column[] {
  return [...columns].sort((a, b) => b.name.length - a.name.length);
}

/** How long a column's name is at the beginning of a text, quoted or not; 0 where it is not there. */
function nameLength(text: string, name: string): number {
  const [lower, wanted] = [text.toLocaleLowerCase(), name.toLocaleLowerCase()];
  if (lower.startsWith(`"${wanted}"`)) return name.length + 2;
  if (!lower.startsWith(wanted)) return 0;
  return /^[\s,;<>=!:]|^$/.test(text.slice(name.length)) ? name.length : 0;
}

function columnsOf({ columns }: Study): string {
  if (!columns.length) return "";
  const names = columns.slice(0, LISTED).map(({ name }) => `“${shorten(name, LONG)}”`);
  const more = columns.length > LISTED ? [`${columns.length - LISTED} more`] : [];
  return ` There are ${listOf([...names, ...more])}.`;
}

function conditionOn(column: Column, sign: string, value: string): Test {
  if (value.toLowerCase() === "missing" && "=!=:".includes(sign)) {
    return (point) => column.isMissing(point) === (sign !== "!=");
  }
  if (column.kind === "date") return onDate(column, sign, value);
  if (column.kind === "number") return onNumber(column, sign, value);
  if (sign.startsWith("<") || sign.startsWith(">")) {
    throw new Unknown(`“${column.name}” has no order: write = or : instead of ${sign}.`);
  }
  return column.kind === "text" ? onText(column, sign, value) : onName(column, sign, value);
}

function onNumber(column: Column, sign: string, value: string): Test {
  const than = value.trim() ? Number(value) : Number.NaN;
  if (Number.isNaN(than)) {
    throw new Unknown(`“${column.name}” holds numbers; “${value}” is none.`);
  }
  return between(column, sign, column.round(than), column.round(than), true);
}

/** A year, a month, a day or a second is all the time in it. */
function onDate(column: Column, sign: string, value: string): Test {
  const [found, year, month, day, hour, minute, second] = DATE.exec(value) ?? [];
  const parts = [month, day, hour, minute, second].map((part) => Number(part ?? 0));
  const [m = 0, d = 0, hh = 0, mm = 0, ss = 0] = parts;
  const time = (y: number, mo: number, da: number, mi: number, se: number) =>
    Date.UTC(y, mo, da, hh, mi, se);
  const y = Number(year);
  const start = time(y, month ? m - 1 : 0, day ? d : 1, mm, ss);
  if (!found || m > 12 || d > 31 || hh > 23 || mm > 59 || ss > 59) {
    throw new Unknown(`“${column.name}” holds dates; write one as 2024-01-31, not “${value}”.`);
  }
  const end = !month
    ? time(y + 1, 0, 1, mm, ss)
    : !day
      ? time(y, m, 1, mm, ss)
      : !hour
        ? time(y, m - 1, d + 1, mm, ss)
        : second
          ? time(y, m - 1, d, mm, ss + 1)
          : time(y, m - 1, d, mm + 1, ss);
  return between(column, sign, start, end, false);
}

/** Whether a number is in, before or after an interval, the end of which belongs to it or not. */
function between(column: Column, sign: string, low: number, high: number, closed: boolean): Test {
  const numbers = column.numbers ?? new Float64Array();
  const tests: Record<string, (value: number) => boolean> = {
    "<": (value) => value < low,
    ">=": (value) => value >= low,
    ">": (value) => (closed ? value > high : value >= high),
    "<=": (value) => (closed ? value <= high : value < high),
  };
  const inside = (value: number) => value >= low && (closed ? value <= high : value < high);
  const holds = tests[sign] ?? (sign === "!=" ? (value: number) => !inside(value) : inside);
  return (point) => {
    const value = numbers[point] ?? Number.NaN;
    return !Number.isNaN(value) && holds(value);
  };
}

function onText(column: Column, sign: string, value: string): Test {
  const wanted = value.toLocaleLowerCase();
  const texts = column.texts ?? [];
  return (point) => {
    const text = texts[point]?.toLocaleLowerCase();
    if (text === undefined) return false;
    if (sign === ":") return text.includes(wanted);
    return (text === wanted) === (sign === "=");
  };
}

const YES = ["true", "yes", "1"];
const NO = ["false", "no", "0"];

/** A category or a boolean: by its whole name, or with a colon by a part of it. */
function onName(column: Column, sign: string, value: string): Test {
  const wanted = value.toLocaleLowerCase();
  const { codes, names } = column;
  const own =
    column.kind === "boolean"
      ? [NO, YES].map((words) => words.includes(wanted))
      : names.map((name) => {
          const lower = name.toLocaleLowerCase();
          return sign === ":" ? lower.includes(wanted) : lower === wanted;
        });
  if (!own.includes(true)) {
    throw new Unknown(`No “${column.name}” is “${value}”.`);
  }
  return (point) => {
    const code = codes?.[point] ?? names.length;
    return code < names.length && own[code] === (sign !== "!=");
  };
}

/** The points with a word in one of their texts, or of a category of just this name. */
export function columnWord(study: Study, wanted: string): Test | null {
  const tests = study.columns.flatMap((column): Test[] => {
    if (column.kind === "text") return [onText(column, ":", wanted)];
    const code = column.names.findIndex((name) => name.toLocaleLowerCase() === wanted);
    if (column.kind !== "category" || code < 0) return [];
    return [(point) => column.codes?.[point] === code];
  });
  return tests.length ? (point) => tests.some((test) => test(point)) : null;
}
