/** What a person keeps of a page: views by their names, each with a note. */
export interface SavedView {
  name: string;
  note: string;
  /** What is shown, as a link's fragment without its "#". */
  at: string;
}

/** So many views at most, and characters of their parts. */
export const [VIEWS, NAME, NOTE] = [100, 80, 2000];
const AT = 20_000;
/** Characters of all views in a link: more is kept by a saved page alone. */
export const LINKED = 12_000;

/** Views of whatever is given, such as by a link or a file: what is broken is passed over. */
export function settleViews(wanted: unknown): SavedView[] {
  if (!Array.isArray(wanted)) return [];
  const found: SavedView[] = [];
  for (const entry of wanted.slice(0, VIEWS) as unknown[]) {
    if (typeof entry !== "object" || entry === null) continue;
    const { name, note, at } = entry as Record<string, unknown>;
    if (typeof name !== "string" || typeof note !== "string" || typeof at !== "string") continue;
    if (at.length > AT || !name.trim()) continue;
    found.push({ name: name.slice(0, NAME), note: note.slice(0, NOTE), at });
  }
  return found;
}

/** As a link holds them; null where they are too long for one. */
export function encodeViews(views: SavedView[]): string | null {
  const text = JSON.stringify(views.map(({ name, note, at }) => [name, note, at]));
  return encodeURIComponent(text).length > LINKED ? null : text;
}

export function decodeViews(text: string): SavedView[] {
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(rows)) return [];
  return settleViews(
    rows.map((row: unknown) => {
      const [name, note, at] = Array.isArray(row) ? (row as unknown[]) : [];
      return { name, note, at };
    }),
  );
}

/** Those of both lists, the first ones first, each once. */
export function joinViews(first: SavedView[], second: SavedView[]): SavedView[] {
  const key = ({ name, note, at }: SavedView) => JSON.stringify([name, note, at]);
  const known = new Set(first.map(key));
  return [...first, ...second.filter((view) => !known.has(key(view)))].slice(0, VIEWS);
}
