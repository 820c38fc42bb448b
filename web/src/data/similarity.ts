import { unpack } from "./pack.ts";
import type { Similarity } from "./payload.ts";
import type { Place, Study } from "./study.ts";

type Moment = Pick<Place, "model" | "epoch">;

/** A share of 65535 is that of a pair of which nothing is known. */
const [STEPS, MISSING] = [65534, 65535];

/** How alike layers are, as rows and columns: of one model twice, or of two. */
export interface SimilarityTable {
  measure: Similarity["measure"];
  rows: number[];
  columns: number[];
  /** Samples that were compared. */
  samples: number;
  chance: number | null;
  /** Of how many neighbors the share is. */
  k: number | null;
  /** From 0 to 1, by the places in rows and columns; null where it is not known. */
  at(row: number, column: number): number | null;
}

/** The tables of the layers of two moments, in the order in which they are listed. */
export function similarityTables(study: Study, rows: Moment, columns: Moment): SimilarityTable[] {
  const [one, two] = [stored(study, rows), stored(study, columns)];
  const same = (a: Similarity["first"], b: Similarity["first"]) => a[0] === b[0] && a[1] === b[1];
  return (study.payload.similarities?.tables ?? []).flatMap((packed): SimilarityTable[] => {
    if (same(packed.first, one) && same(packed.second, two)) return [table(packed, false)];
    return same(packed.first, two) && same(packed.second, one) ? [table(packed, true)] : [];
  });
}

/** Model and epoch as the payload has them: null where the epoch is the model itself. */
function stored(study: Study, { model, epoch }: Moment): Similarity["first"] {
  const { epochs } = study.model(model);
  return [model, epoch !== null && epochs?.moments[epoch] ? epoch : null];
}

function table(packed: Similarity, turned: boolean): SimilarityTable {
  const values = unpack(packed.values);
  const [height, width] = [packed.rows.length, packed.columns.length];
  const within = packed.first[0] === packed.second[0] && packed.first[1] === packed.second[1];
  const at = (row: number, column: number) => {
    const [i, j] = turned ? [column, row] : [row, column];
    const value = values[within ? triangular(i, j, width) : i * width + j];
    return value === undefined || value === MISSING ? null : value / STEPS;
  };
  if (values.length !== (within ? (height * (height + 1)) / 2 : height * width))
    throw new Error(`a table of ${height} by ${width} layers holds ${values.length} values`);
  const { measure, samples, chance, k } = packed;
  const [rows, columns] = turned ? [packed.columns, packed.rows] : [packed.rows, packed.columns];
  return { measure, rows, columns, samples, chance, k: k ?? null, at };
}

/** Where a pair stands in the rows of the upper triangle of a table, with its diagonal. */
function triangular(i: number, j: number, size: number): number {
  const [low, high] = i < j ? [i, j] : [j, i];
  return low * size - (low * (low - 1)) / 2 + high - low;
}
