/** One row of a CSV file, quoted where it must be. */
function row(cells: (string | number)[]): string {
  return cells.map(cell).join(",");
}

function cell(value: string | number): string {
  let text = String(value);
  // A spreadsheet would run a name that begins like this as a formula.
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A table as CSV, lines ended as RFC 4180 has them. */
export function toCsv(header: string[], rows: (string | number)[][]): string {
  return [header, ...rows].map((cells) => `${row(cells)}\r\n`).join("");
}
