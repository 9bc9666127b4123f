/** Finds where the parts of an exported object literal stand in the text of a module, without running or fully parsing it. */

/** An object or list literal, or any other expression, which has no parts. Offsets count from the beginning of the text. */
export interface LiteralNode {
  offset: number;
  /** Parts by key or index; undefined for an expression that only running it could tell. */
  parts?: Map<string | number, LiteralPart>;
  kind: 'map' | 'list' | 'expression';
}

export interface LiteralPart {
  /** Where the key stands; for an item of a list, where the item begins. */
  key: number;
  value: LiteralNode;
}

/**
 * The literal that a module exports by default: as it is, as the argument of calls such as `defineGateway(...)`, or by the name
 * of a constant. Null when there is none, or when the text is beyond this reader.
 */
export function exportedLiteral(text: string): LiteralNode | null {
  const found = /^[ \t]*export\s+default\s+/m.exec(text);
  if (found === null) return null;
  try {
    return new LiteralReader(text).exported(found.index + found[0].length);
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

class Unreadable extends Error {}

const closers: Readonly<Record<string, string>> = { '{': '}', '[': ']', '(': ')' };
const word = /[A-Za-z_$][\w$]*/y;
const deepest = 64;

class LiteralReader {
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  exported(start: number): LiteralNode | null {
    const at = this.argument(start);
    if (this.text[at] === '{') return this.whole(at);
    const name = this.match(word, at);
    if (name === '') return null;
    const declaration = new RegExp(
      `^[ \\t]*(?:export\\s+)?const\\s+${name.replaceAll('$', '\\$')}\\b[^=;{]*=\\s*`,
      'm',
    );
    const found = declaration.exec(this.text);
    if (found === null) return null;
    const value = this.argument(found.index + found[0].length);
    return this.text[value] === '{' ? this.whole(value) : null;
  }

  /** The outermost map: what follows it may be another statement, so nothing is asked of it. */
  private whole(at: number): LiteralNode {
    return { offset: at, parts: this.map(at, 0).parts, kind: 'map' };
  }

  /** Steps into calls of one argument: `defineGateway(`, `Promise.resolve(`. */
  private argument(start: number): number {
    let at = this.space(start);
    for (let calls = 0; calls < 4; calls += 1) {
      const call = this.match(/(?:await\s+)?[A-Za-z_$][\w$.]*\s*\(|\(/y, at);
      if (call === '') break;
      at = this.space(at + call.length);
    }
    return at;
  }

  /** The node that begins at `at`, and the offset of the separator or closer after it. */
  private node(at: number, depth: number): { node: LiteralNode; end: number } {
    if (depth > deepest) throw new Unreadable();
    const open = this.text[at];
    if (open === '{' || open === '[') {
      const { parts, end } = open === '{' ? this.map(at, depth) : this.list(at, depth);
      const after = this.space(end);
      // `{ ... } as const` is still the literal; `[...].map(...)` is not.
      const suffix = this.match(/(?:as|satisfies)\b/y, after);
      if (suffix !== '' || /[,;})\]]|^$/.test(this.text[after] ?? '')) {
        const kind = open === '{' ? 'map' : 'list';
        return { node: { offset: at, parts, kind }, end: suffix === '' ? after : this.skip(after) };
      }
    }
    return { node: { offset: at, kind: 'expression' }, end: this.skip(at) };
  }

  private map(start: number, depth: number): { parts: Map<string | number, LiteralPart>; end: number } {
    const parts = new Map<string | number, LiteralPart>();
    let at = this.space(start + 1);
    while (this.text[at] !== '}') {
      const name = this.match(/[A-Za-z_$][\w$]*|[0-9]+|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y, at);
      const after = name === '' ? at : this.space(at + name.length);
      if (name !== '' && this.text[after] === ':') {
        const { node, end } = this.node(this.space(after + 1), depth + 1);
        parts.set(/^['"]/.test(name) ? name.slice(1, -1) : name, { key: at, value: node });
        at = end;
      } else {
        // `{ name }`; or a method, a spread or a computed key, of which nothing is known.
        if (name !== '') parts.set(name, { key: at, value: { offset: at, kind: 'expression' } });
        at = this.skip(at);
      }
      at = this.next(at, '}');
    }
    return { parts, end: at + 1 };
  }

  private list(start: number, depth: number): { parts: Map<string | number, LiteralPart>; end: number } {
    const parts = new Map<string | number, LiteralPart>();
    let at = this.space(start + 1);
    for (let index = 0; this.text[at] !== ']'; index += 1) {
      // After a spread nobody knows which item is which.
      if (this.text.startsWith('...', at)) index = Number.NaN;
      const { node, end } = this.node(at, depth + 1);
      if (!Number.isNaN(index)) parts.set(index, { key: at, value: node });
      at = this.next(end, ']');
    }
    return { parts, end: at + 1 };
  }

  /** The offset after a comma, or that of the closer. */
  private next(at: number, closer: string): number {
    if (this.text[at] === ',') return this.space(at + 1);
    if (this.text[at] !== closer) throw new Unreadable();
    return at;
  }

  /** The offset of the comma, semicolon or closer that ends the expression at `start`. */
  private skip(start: number): number {
    const open: string[] = [];
    // Where an operand may begin, a slash begins a regular expression.
    let isOperand = true;
    for (let at = start; at < this.text.length; ) {
      const spaced = this.space(at);
      if (spaced !== at) {
        at = spaced;
        continue;
      }
      const character = this.text[at];
      if (open.length === 0 && /[,;})\]]/.test(character)) return at;
      if (closers[character] !== undefined) open.push(closers[character]);
      else if (/[})\]]/.test(character) && open.pop() !== character) throw new Unreadable();
      if (character === '`') at = this.template(at);
      else if (/['"]/.test(character)) at += this.some(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y, at).length;
      else if (character === '/' && isOperand)
        at += this.some(/\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y, at).length;
      else at += this.match(word, at).length || 1;
      isOperand = /[-+*%(,=:[!&|?{};<>~^]/.test(character);
    }
    return this.text.length;
  }

  private template(start: number): number {
    for (let at = start + 1; at < this.text.length; ) {
      if (this.text[at] === '`') return at + 1;
      if (this.text[at] === '\\') at += 2;
      else if (this.text.startsWith('${', at)) {
        at = this.skip(at + 2);
        if (this.text[at] !== '}') throw new Unreadable();
        at += 1;
      } else at += 1;
    }
    throw new Unreadable();
  }

  /** Steps over white space and comments. */
  private space(at: number): number {
    return at + this.match(/(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y, at).length;
  }

  private match(pattern: RegExp, at: number): string {
    pattern.lastIndex = at;
    return pattern.exec(this.text)?.[0] ?? '';
  }

  private some(pattern: RegExp, at: number): string {
    const found = this.match(pattern, at);
    if (found === '') throw new Unreadable();
    return found;
  }
}
