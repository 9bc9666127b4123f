/** Edits of a head, in the order in which they were made. */
import { describe, expect, it } from 'vitest';
import { FixedLine, FixedName, HeaderEdits } from './header-edits.ts';

describe('edits of a head', () => {
  it('by names and lines that were checked before replace what is there, as `set` does', () => {
    const edits = new HeaderEdits();
    edits.add('X-Left', '1');
    edits.add('x-LEFT', '2');
    edits.setFixed(new FixedName('X-Left'), '3');
    edits.setLine(new FixedLine('X-Limit', '9'));
    edits.setLine(new FixedLine('x-limit', '10'));
    expect(edits.lines()).toBe('X-Left: 3\r\nx-limit: 10\r\n');
    expect(edits.filter('X-LIMIT: upstream\r\nX-Other: 1\r\n')).toBe('X-Other: 1\r\n');
  });

  it.each(['a\r\nX-Evil: 1', 'a\nb', 'a\u0000', '\u007f', 'ž'])('never let %j through', (value) => {
    const edits = new HeaderEdits();
    expect(() => edits.setFixed(new FixedName('X-A'), value)).toThrow('character that no field may have');
    expect(() => new FixedLine('X-A', value)).toThrow('character that no field may have');
    expect(edits.lines()).toBe('');
  });

  it.each(['', 'a b', 'a:', 'a\r\n', 'ä'])('take %j for no name', (name) => {
    expect(() => new FixedName(name)).toThrow('is not a field name');
    expect(() => new FixedLine(name, '1')).toThrow('is not a field name');
  });
});
