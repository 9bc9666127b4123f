/** Whether a JSON text says one thing only: readers differ in which of two members of one name they take (RFC 8259 section 4). */

/** Levels of maps and lists within each other that a token may have. */
const DEEPEST = 32;

/** Why a text that `JSON.parse` takes is ambiguous or too deep; null where it is neither. */
export function ambiguityOf(json: string): string | null {
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '{' || char === '[') {
      if (open.length === DEEPEST) return 'is nested too deeply';
      open.push(char === '{' ? new Set() : null);
    } else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(json, i);
      const names = open.at(-1);
      // Only the name of a member has a colon after it.
      if (names instanceof Set && json[pastSpace(json, end)] === ':') {
        const name = JSON.parse(json.slice(i, end)) as string;
        if (names.has(name)) return 'has a member twice';
        names.add(name);
      }
      i = end - 1;
    }
  }
  return null;
}

/** The place after the closing quote of the string that begins at `start`. */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (i < json.length && json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
  return i + 1;
}

function pastSpace(json: string, start: number): number {
  let i = start;
  while (json[i] === ' ' || json[i] === '\t' || json[i] === '\n' || json[i] === '\r') i++;
  return i;
}
