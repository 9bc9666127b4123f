/** Rows for people: columns under a head, which is the first row. */

/** Each column as wide as its widest cell, with a line break after each row. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => String(cell).padEnd(widths[column]))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
