import type { EpochAxis, Layer, Model, Moment, Payload, Unchanged } from "./payload.ts";

/** The payload without its arrays and pictures, which come in parts. */
export interface Skeleton extends Payload {
  /** Name and size of each part; first that of what is of no layer. */
  parts: [name: string, bytes: number][];
}

/** Where bytes lie in a part. */
type At = [name: string, start: number, end: number];

const NAME = 16;

/** The parts of a payload that have come, by name; of one name they are the same. */
export class Parts {
  private readonly have = new Map<string, Uint8Array<ArrayBuffer>>();

  has(name: string): boolean {
    return this.have.has(name);
  }

  /** Take parts as they are sent: a serial number, and of each its name, its size and its bytes. */
  take(sent: DataView | null | undefined): boolean {
    if (!sent?.byteLength) return false;
    let fresh = false;
    for (let at = 4; at < sent.byteLength;) {
      const bytes = new Uint8Array(sent.buffer as ArrayBuffer, sent.byteOffset + at, NAME);
      const name = String.fromCharCode(...bytes);
      const length = sent.getUint32(at + NAME, true);
      const begin = at + NAME + 4;
      if (begin + length > sent.byteLength) throw new Error(`the part ${name} is cut short`);
      if (!this.have.has(name)) {
        const start = sent.byteOffset + begin;
        this.have.set(
          name,
          new Uint8Array((sent.buffer as ArrayBuffer).slice(start, start + length)),
        );
        fresh = true;
      }
      at = begin + length;
    }
    return fresh;
  }

  /** Forget what another payload had. */
  keep({ parts }: Skeleton): void {
    const wanted = new Set(parts.map(([name]) => name));
    for (const name of this.have.keys()) if (!wanted.has(name)) this.have.delete(name);
  }

  /** The names of the parts that have not come, in order. */
  missing({ parts }: Skeleton): string[] {
    return parts.map(([name]) => name).filter((name) => !this.have.has(name));
  }

  /** The names of the missing parts that a layer is in. */
  missingOf(layer: Layer | Unchanged | undefined): string[] {
    const lost = new Set<string>();
    this.fill(layer, lost);
    return [...lost];
  }

  /** The payload with what has come; layers that have not are `pending`. */
  assemble(skeleton: Skeleton): Payload {
    const { models, labelings, maps, ...rest } = skeleton;
    const variants = { labelings: this.whole(labelings), maps: this.whole(maps) };
    return {
      ...(this.fill(rest, new Set()) as Payload),
      ...(variants.labelings ? { labelings: variants.labelings } : {}),
      ...(variants.maps ? { maps: variants.maps } : {}),
      models: models.map((model) => this.model(model)),
    };
  }

  private model({ epochs, ...model }: Model): Model {
    return {
      ...(this.moment(model) as Omit<Model, "epochs">),
      epochs: epochs && this.axis(epochs),
    };
  }

  private axis({ epochs, moments }: EpochAxis): EpochAxis {
    return { epochs, moments: moments.map((moment) => this.moment(moment)) };
  }

  private moment<L extends Layer | Unchanged>({ layers, ...rest }: Moment<L>): Moment<L> {
    const filled = this.fill(rest, new Set()) as Omit<Moment<L>, "layers">;
    return { ...filled, layers: layers.map((layer) => this.layer(layer)) };
  }

  private layer<L extends Layer | Unchanged>(layer: L): L {
    const lost = new Set<string>();
    const filled = this.fill(layer, lost) as L;
    if (!lost.size) return filled;
    const { density: _, ...pending } = {
      ...(filled as Layer),
      ...{ map: null, hits: null, mapHits: null, neighbors: null, confusion: null },
      ...{ hulls: null, peeled: null, ellipses: null, pending: true as const },
    };
    return pending as unknown as L;
  }

  /** What has come in whole, or null. */
  private whole<T>(value: T): T | null {
    const lost = new Set<string>();
    const filled = this.fill(value, lost) as T;
    return lost.size ? null : filled;
  }

  /** A copy with bytes where places were; null for those that have not come, which are noted. */
  private fill(value: unknown, lost: Set<string>): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) {
      if (typeof value[0] === "number" || typeof value[0] === "string") return value;
      return value.map((each) => this.fill(each, lost));
    }
    if ("at" in value && Array.isArray(value.at)) {
      const { at, ...kind } = value as { at: At };
      const part = this.have.get(at[0]);
      if (!part) {
        lost.add(at[0]);
        return null;
      }
      return { ...kind, data: part.subarray(at[1], at[2]) };
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, this.fill(each, lost)]),
    );
  }
}
