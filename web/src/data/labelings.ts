import type { Payload } from "./payload.ts";

/** The payload of a labeling, by its place in the list; what it shares with the first is the same. */
export function labeled(payload: Payload, index: number): Payload {
  const changes = payload.labelings?.[index]?.changes ?? [];
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
