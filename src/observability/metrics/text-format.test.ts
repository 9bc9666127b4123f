/** Labels and numbers as text. */
import { describe, expect, it } from 'vitest';
import {
  checkDefinition,
  headerText,
  labelText,
  type MetricDefinition,
  numberText,
  sampleLine,
} from './text-format.ts';

const base: MetricDefinition = { name: 'a_total', type: 'counter', help: 'A.', labels: [] };

describe('the text format', () => {
  it.each([
    ['plain', 'l="plain"'],
    ['', 'l=""'],
    ['a"b', 'l="a\\"b"'],
    ['a\\b', 'l="a\\\\b"'],
    ['a\nb', 'l="a\\nb"'],
    ['\\n', 'l="\\\\n"'],
    ['}{,= #', 'l="}{,= #"'],
    ['ä', 'l="ä"'],
  ])('writes the label value %j', (value, text) => {
    expect(labelText(['l'], [value])).toBe(text);
  });

  it('joins labels in their order, and insists on one value for each', () => {
    expect(labelText(['a', 'b'], ['1', '2'])).toBe('a="1",b="2"');
    expect(labelText([], [])).toBe('');
    expect(() => labelText(['a'], [])).toThrow(TypeError);
    expect(() => labelText([], ['1'])).toThrow(TypeError);
  });

  it.each([
    [0, '0'],
    [1.5, '1.5'],
    [1e21, '1e+21'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [Number.NaN, 'NaN'],
  ])('writes the number %d', (value, text) => {
    expect(numberText(value)).toBe(text);
  });

  it('keeps HELP on one line', () => {
    expect(headerText({ ...base, help: 'a\\b\nc' })).toBe('# HELP a_total a\\\\b\\nc\n# TYPE a_total counter\n');
  });

  it('leaves out empty braces', () => {
    expect(sampleLine('a', '', 1)).toBe('a 1\n');
    expect(sampleLine('a', 'l="x"', 1)).toBe('a{l="x"} 1\n');
  });

  it.each([
    { name: '' },
    { name: '1a' },
    { name: 'a-b' },
    { name: 'a\n' },
    { labels: ['a:b'] },
    { labels: ['__name'] },
    { labels: ['le'] },
    { labels: ['a', 'a'] },
  ])('refuses the definition with %j', (change) => {
    expect(() => checkDefinition(base)).not.toThrow();
    expect(() => checkDefinition({ ...base, ...change })).toThrow(TypeError);
  });
});
