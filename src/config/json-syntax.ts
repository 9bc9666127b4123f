/** Finds where a text stops being JSON, in words of JSON: files are read as YAML, which allows more and explains it as YAML. */

/** The first fault of a text; `offset` counts from its beginning. */
export interface JsonFault {
  message: string;
  offset: number;
}

/**
 * What keeps a text from being JSON, or null. Also null for a text of nothing but white space, and for one nested deeper than
 * any configuration may be: others have words for these.
 */
export function jsonFault(text: string): JsonFault | null {
  if (/^[ \t\r\n]*$/.test(text)) return null;
  try {
    new JsonScanner(text).document();
    return null;
  } catch (error) {
    if (error instanceof Fault) return { message: error.message, offset: error.offset };
    if (error instanceof NestedTooDeeply) return null;
    throw error;
  }
}

const deepest = 128;

class NestedTooDeeply extends Error {}

class Fault extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Walks over a text without keeping its values. No message quotes the text, which may hold secrets. */
class JsonScanner {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  document(): void {
    this.space();
    if (this.isWord()) this.word('the file begins with a word: JSON begins with `{`');
    else this.value(0);
    this.space();
    if (this.at < this.text.length) this.fail('something follows the end of the value');
  }

  private value(depth: number): void {
    if (depth > deepest) throw new NestedTooDeeply();
    const character = this.text[this.at];
    if (character === '{') this.map(depth);
    else if (character === '[') this.list(depth);
    else if (character === '"') this.string();
    else if (character !== undefined && /[-+.0-9]/.test(character)) this.number();
    else if (this.isWord()) this.word('a word without quotes: text stands in double quotes');
    else if (character === "'") this.fail('a string stands in double quotes, not in single ones');
    else if (character === undefined) this.fail('the text ends where a value should stand');
    else this.fail('a value should stand here');
  }

  private map(depth: number): void {
    const start = this.at;
    let comma = -1;
    this.at += 1;
    for (;;) {
      this.space();
      if (this.text[this.at] === '}') {
        if (comma >= 0) this.fail('a comma too many: none stands after the last entry', comma);
        this.at += 1;
        return;
      }
      this.key(start);
      this.space();
      if (this.text[this.at] !== ':') this.fail('a colon should stand between a key and its value');
      this.at += 1;
      this.space();
      this.value(depth + 1);
      this.space();
      if (this.text[this.at] === ',') {
        comma = this.at;
        this.at += 1;
      } else if (this.text[this.at] === '}') comma = -1;
      else this.failBetween('{', '}', start);
    }
  }

  private list(depth: number): void {
    const start = this.at;
    let comma = -1;
    this.at += 1;
    for (;;) {
      this.space();
      if (this.text[this.at] === ']') {
        if (comma >= 0) this.fail('a comma too many: none stands after the last entry', comma);
        this.at += 1;
        return;
      }
      this.value(depth + 1);
      this.space();
      if (this.text[this.at] === ',') {
        comma = this.at;
        this.at += 1;
      } else if (this.text[this.at] === ']') comma = -1;
      else this.failBetween('[', ']', start);
    }
  }

  private key(mapStart: number): void {
    const character = this.text[this.at];
    if (character === '"') return this.string();
    if (character === undefined) this.fail('the text ends before the `{` here is closed', mapStart);
    if (character === ',') this.fail('a comma too many');
    if (character === "'") this.fail('a key stands in double quotes, not in single ones');
    this.fail('a key stands in double quotes');
  }

  private string(): void {
    const start = this.at;
    for (this.at += 1; this.at < this.text.length; this.at += 1) {
      const character = this.text[this.at];
      if (character === '"') {
        this.at += 1;
        return;
      }
      if (character === '\n' || character === '\r') this.fail('a string is not closed on its line', start);
      if (character < ' ') this.fail('a control character in a string must be escaped, as in \\t');
      if (character === '\\') this.escape();
    }
    this.fail('a string is never closed', start);
  }

  /** Leaves `at` on the last character of the escape. */
  private escape(): void {
    const length = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y;
    length.lastIndex = this.at;
    const match = length.exec(this.text);
    if (match === null)
      this.fail('no escape of JSON: those are \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four digits');
    this.at += match[0].length - 1;
  }

  private number(): void {
    const form = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![-+.\w])/y;
    form.lastIndex = this.at;
    const match = form.exec(this.text);
    if (match === null) this.fail('no number of JSON: text stands in double quotes');
    this.at += match[0].length;
  }

  private word(problem: string): void {
    const form = /(?:true|false|null)(?![\w$])/y;
    form.lastIndex = this.at;
    const match = form.exec(this.text);
    if (match === null) this.fail(problem);
    this.at += match[0].length;
  }

  private isWord(): boolean {
    return /[A-Za-z_$]/.test(this.text[this.at] ?? '');
  }

  private space(): void {
    while (' \t\r\n'.includes(this.text[this.at] ?? '-')) this.at += 1;
    const character = this.text[this.at];
    const next = this.text[this.at + 1];
    if (character === '#' || (character === '/' && (next === '/' || next === '*'))) {
      this.fail('a comment stands here: JSON has none');
    }
  }

  private failBetween(open: string, close: string, start: number): never {
    if (this.at >= this.text.length) this.fail(`the text ends before the \`${open}\` here is closed`, start);
    this.fail(`a comma or \`${close}\` should stand here`);
  }

  private fail(message: string, offset = this.at): never {
    throw new Fault(message, offset);
  }
}
