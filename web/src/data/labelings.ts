import type { Labeling, Payload } from "./payload.ts";

/** Which of the labelings, and which of the kinds of maps. */
export interface Variant {
  labeling: number;
  map: number;
}

/** The payload of a labeling with a kind of maps; what it shares with the first of each is the same. */
export function variantOf(payload: Payload, { labeling, map }: Variant): Payload {
  const found = labeled(payload, labeling);
  return changed(found, found.maps?.[map]?.changes ?? []);
}

/** The payload of a labeling, by its place in the list. */
export function labeled(payload: Payload, index: number): Payload {
  return changed(payload, payload.labelings?.[index]?.changes ?? []);
}

function changed(payload: Payload, changes: Labeling["changes"]): Payload {
  const fresh = new Set<object>();
  let whole: unknown = payload;
  for (const [path, ...value] of changes) whole = put(whole, path, value, fresh);
  return whole as Payload;
}

/** A copy along a path, with another value at its end or none; copies are changed in place. */
function put(
  into: unknown,
  path: (string | number)[],
  value: unknown[],
  fresh: Set<object>,
): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value[0];
  let copy = into as Record<string | number, unknown>;
  if (!fresh.has(copy)) {
    copy = (Array.isArray(into) ? [...(into as unknown[])] : { ...copy }) as typeof copy;
    fresh.add(copy);
  }
  if (!rest.length && !value.length) Reflect.deleteProperty(copy, key);
  else copy[key] = put(copy[key], rest, value, fresh);
  return copy;
}
