type Listener<T> = (now: T, before: T) => void;

/** One plain object with subscriptions; a change is a new object. */
export class Store<T extends object> {
  private value: T;
  private readonly listeners = new Set<Listener<T>>();

  constructor(initial: T) {
    this.value = initial;
  }

  get(): T {
    return this.value;
  }

  /** Merge a change; listeners hear of it only if something is different. */
  set(change: Partial<T>): void {
    const before = this.value;
    const keys = Object.keys(change) as (keyof T)[];
    if (!keys.some((key) => !same(before[key], change[key]))) return;
    this.value = { ...before, ...change };
    for (const listener of [...this.listeners]) listener(this.value, before);
  }

  subscribe(listener: Listener<T>): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Hear only of changes of these keys, and once at the start. */
  watch<K extends keyof T>(keys: K[], listener: (now: T) => void): () => void {
    listener(this.value);
    return this.subscribe((now, before) => {
      if (keys.some((key) => !same(now[key], before[key]))) listener(now);
    });
  }
}

/** Equal by content, for plain values. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b)) return false;
    return a.length === b.length && a.every((item, i) => same(item, b[i]));
  }
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((k) => same(left[k], right[k]));
}
