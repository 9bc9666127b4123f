/** Changes to a head, recorded while policies run and applied once when the head is written. */
import { isToken } from '../base/token.ts';
import { isFieldValue } from './byte-class.ts';

/** Thrown for a name or value that could break the head; operators' values are checked before they get here. */
class UnsafeFieldError extends Error {
  override readonly name = 'UnsafeFieldError';
}

/** One field line. The last gate before the wire: nothing with a CR, LF, NUL or other control ever passes it. */
export function fieldLine(name: string, value: string): string {
  if (!isToken(name)) throw new UnsafeFieldError(`"${name}" is not a field name`);
  if (!isFieldValue(value)) throw new UnsafeFieldError(`the value of ${name} has a character that no field may have`);
  return `${name}: ${value}\r\n`;
}

/** A name that is checked once, for fields that stand on very many messages. */
export class FixedName {
  readonly lower: string;
  /** How a line of it begins. */
  readonly start: string;

  constructor(name: string) {
    if (!isToken(name)) throw new UnsafeFieldError(`"${name}" is not a field name`);
    this.lower = name.toLowerCase();
    this.start = `${name}: `;
  }
}

/** A whole field that is checked once. */
export class FixedLine {
  readonly name: string;
  readonly line: string;

  constructor(name: string, value: string) {
    this.line = fieldLine(name, value);
    this.name = name.toLowerCase();
  }
}

export class HeaderEdits {
  /** Lower-case names whose lines are left out. */
  readonly removed: string[] = [];
  /** Lines to add, in order, each with its lower-case name. */
  readonly added: Pick<FixedLine, 'name' | 'line'>[] = [];

  /** Replaces every line of that name by one. */
  set(name: string, value: string): void {
    const line = fieldLine(name, value);
    this.remove(name);
    this.added.push({ name: name.toLowerCase(), line });
  }

  /** `set`, by a name that was checked before. */
  setFixed({ lower, start }: FixedName, value: string): void {
    if (!isFieldValue(value))
      throw new UnsafeFieldError(`the value of ${lower} has a character that no field may have`);
    this.removeLower(lower);
    this.added.push({ name: lower, line: `${start}${value}\r\n` });
  }

  /** `set`, of what was checked before. */
  setLine(line: FixedLine): void {
    this.removeLower(line.name);
    this.added.push(line);
  }

  /** Adds one more line. */
  add(name: string, value: string): void {
    this.added.push({ name: name.toLowerCase(), line: fieldLine(name, value) });
  }

  remove(name: string): void {
    this.removeLower(name.toLowerCase());
  }

  private removeLower(lowerName: string): void {
    for (let i = this.added.length - 1; i >= 0; i--) if (this.added[i].name === lowerName) this.added.splice(i, 1);
    if (!this.removed.includes(lowerName)) this.removed.push(lowerName);
  }

  /** Takes over what `other` recorded, as if it had been called after this one's own. */
  append(other: HeaderEdits): void {
    const { removed, added } = other;
    if (this.removed.length === 0 && this.added.length === 0) {
      for (let i = 0; i < removed.length; i++) this.removed.push(removed[i]);
    } else for (let i = 0; i < removed.length; i++) this.removeLower(removed[i]);
    for (let i = 0; i < added.length; i++) this.added.push(added[i]);
  }

  /** True when lines of that lower-case name are left out. */
  drops(lowerName: string): boolean {
    return this.removed.includes(lowerName);
  }

  /** The lines to add, as text. */
  lines(): string {
    let text = '';
    for (let i = 0; i < this.added.length; i++) text += this.added[i].line;
    return text;
  }

  /** The lines of `text`, each `name: value CRLF`, that the edits leave in. */
  filter(text: string): string {
    if (this.removed.length === 0 || text === '') return text;
    let kept = '';
    for (let start = 0; start < text.length; ) {
      const end = text.indexOf('\r\n', start) + 2;
      const name = text.slice(start, text.indexOf(':', start)).toLowerCase();
      if (!this.drops(name)) kept += text.slice(start, end);
      start = end;
    }
    return kept;
  }
}
