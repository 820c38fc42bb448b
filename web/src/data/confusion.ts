import { unpack } from "./pack.ts";
import type { PackedConfusion } from "./payload.ts";

export interface Pair {
  a: number;
  b: number;
  /** Mean share of either's neighbors that are of the other. */
  share: number;
}

/** Which share of each class's neighbors is of which class; only what is not 0 is kept. */
export class Confusion {
  /** How many classes there are. */
  readonly size: number;
  private readonly starts: Uint32Array;
  private readonly columns: ArrayLike<number>;
  private readonly shares: Float64Array;
  private pairs: Pair[] | null = null;

  constructor(packed: PackedConfusion) {
    const lengths = unpack(packed.lengths);
    this.size = lengths.length;
    this.starts = new Uint32Array(lengths.length + 1);
    for (let i = 0; i < lengths.length; i++)
      this.starts[i + 1] = (this.starts[i] as number) + (lengths[i] as number);
    this.columns = unpack(packed.columns);
    this.shares = Float64Array.from(unpack(packed.shares), (step) => step / 65535);
  }

  /** The share of the neighbors of a class that are of another, or of its own. */
  at(row: number, column: number): number {
    let [low, high] = [this.starts[row] ?? 0, this.starts[row + 1] ?? 0];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.columns[middle] as number) < column) low = middle + 1;
      else high = middle;
    }
    const found = low < (this.starts[row + 1] ?? 0) && this.columns[low] === column;
    return found ? (this.shares[low] as number) : 0;
  }

  /** Visit what is not 0, row by row. */
  each(visit: (row: number, column: number, share: number) => void): void {
    for (let row = 0; row < this.size; row++) {
      const end = this.starts[row + 1] as number;
      for (let i = this.starts[row] as number; i < end; i++)
        visit(row, this.columns[i] as number, this.shares[i] as number);
    }
  }

  /** The greatest share of a class's neighbors that are of one other class. */
  greatest(): number {
    let greatest = 0;
    this.each((row, column, share) => {
      if (row !== column && share > greatest) greatest = share;
    });
    return greatest;
  }

  /** The most tangled pairs of classes. */
  worstPairs(count: number): Pair[] {
    this.pairs ??= this.allPairs();
    return this.pairs.slice(0, count);
  }

  private allPairs(): Pair[] {
    const pairs: Pair[] = [];
    this.each((row, column, share) => {
      const back = this.at(column, row);
      // A pair is met from both sides, or from the one that is not 0.
      if (row < column || (row > column && back === 0))
        pairs.push({
          a: Math.min(row, column),
          b: Math.max(row, column),
          share: (share + back) / 2,
        });
    });
    return pairs.sort((p, q) => q.share - p.share || p.a - q.a || p.b - q.b);
  }

  /** The classes with the most neighbors of others, in the order of the classes. */
  mostTangled(count: number): number[] {
    const all = Array.from({ length: this.size }, (_, i) => i);
    if (all.length <= count) return all;
    const own = all.map((i) => this.at(i, i));
    const worst = all.sort((i, j) => (own[i] as number) - (own[j] as number) || i - j);
    return worst.slice(0, count).sort((i, j) => i - j);
  }
}
