/** Names of many layers, as short as they can be told apart. */

/** What stands between the parts of a name. */
const PARTS = /[./]/;
/** So many layers a block at least, on average, or there are no blocks. */
const SMALLEST = 2;

export interface ShortNames {
  /** What all names of several parts begin with, which is left out; "" for nothing. */
  prefix: string;
  names: string[];
}

/** Names without the parts that all of them begin with; those of one part are left as they are. */
export function shortNames(names: string[]): ShortNames {
  const parted = names.filter((name) => PARTS.test(name));
  const [first, ...rest] = parted;
  if (first === undefined || !rest.length) return { prefix: "", names };
  let end = 0;
  for (const match of first.matchAll(new RegExp(PARTS, "g"))) {
    const wanted = first.slice(0, match.index + 1);
    // Something must be left of each name, and it may not be the name of another.
    if (!rest.every((name) => name.startsWith(wanted) && name.length > wanted.length)) break;
    if (first.length > wanted.length) end = wanted.length;
  }
  const prefix = first.slice(0, end);
  const short = names.map((name) => (PARTS.test(name) ? name.slice(end) : name));
  const clashes = new Set(short).size < new Set(names).size;
  return clashes || !end ? { prefix: "", names } : { prefix, names: short };
}

/** Names of several parts without those that all of them end with, where they stand in little room. */
export function withoutEnd(names: string[]): string[] {
  const turned = (name: string) => [...name].reverse().join("");
  return shortNames(names.map(turned)).names.map(turned);
}

/** Neighboring layers whose names begin alike. */
export interface Block {
  name: string;
  start: number;
  /** One after its last. */
  end: number;
}

/** The blocks of a network, by the beginnings of short names; none where they say nothing. */
export function blocksOf(names: string[]): Block[] {
  const deepest = Math.max(0, ...names.map((name) => name.split(PARTS).length - 1));
  let found: Block[] = [];
  for (let depth = 1; depth <= deepest; depth++) {
    const blocks = grouped(names, depth);
    if (blocks.length * SMALLEST > names.length) break;
    found = blocks;
    // The coarsest blocks that are several are the ones that people speak of.
    if (blocks.length > 3) break;
  }
  return found.length > 1 ? found : [];
}

function grouped(names: string[], depth: number): Block[] {
  const blocks: Block[] = [];
  names.forEach((name, i) => {
    const parts = name.split(PARTS);
    const begin = parts.slice(0, Math.max(1, Math.min(depth, parts.length - 1))).join(".");
    const last = blocks.at(-1);
    if (last && last.name === begin) last.end = i + 1;
    else blocks.push({ name: begin, start: i, end: i + 1 });
  });
  return blocks;
}
