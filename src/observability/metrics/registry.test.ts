/** Families and series in one page that every scraper takes. */
import { describe, expect, it } from 'vitest';
import { CellFamily, createNumberFamily, MetricRegistry, SampledFamily } from './registry.ts';

describe('the registry', () => {
  it('writes families and series in the order of their names, however they came', () => {
    const registry = new MetricRegistry();
    const b = new CellFamily({ name: 'b_total', type: 'counter', help: 'B.', labels: ['l'] });
    registry.add(b);
    registry.add(createNumberFamily({ name: 'a', type: 'gauge', help: 'A.' }, () => 4));
    b.cell('z').value = 1;
    b.cell('y').value += 2;
    expect(registry.render()).toBe(
      '# HELP a A.\n# TYPE a gauge\na 4\n# HELP b_total B.\n# TYPE b_total counter\nb_total{l="y"} 2\nb_total{l="z"} 1\n',
    );
  });

  it('gives the same cell for the same values', () => {
    const family = new CellFamily({ name: 'a', type: 'gauge', help: 'A.', labels: ['l', 'm'] });
    expect(family.cell('x', 'y')).toBe(family.cell('x', 'y'));
    expect(family.cell('x', 'y')).not.toBe(family.cell('y', 'x'));
  });

  it('shows a series that a source names twice only once: a scraper would refuse the page', () => {
    const family = new SampledFamily({ name: 'a', type: 'gauge', help: 'A.', labels: ['l'] }, () => [
      { labels: ['x'], value: 1 },
      { labels: ['x'], value: 2 },
    ]);
    expect([...family.render()]).toEqual(['a{l="x"} 1\n']);
  });

  it('refuses a second metric of one name, and a malformed one', () => {
    const registry = new MetricRegistry();
    const family = createNumberFamily({ name: 'a', type: 'gauge', help: 'A.' }, () => 1);
    registry.add(family);
    expect(() => registry.add(family)).toThrow('metric a is defined twice');
    expect(() => registry.add({ ...family, definition: { ...family.definition, name: 'a b' } })).toThrow(TypeError);
  });

  it('hands a long page out in pieces of whole lines that make up the page', () => {
    const registry = new MetricRegistry();
    const family = new CellFamily({ name: 'a', type: 'gauge', help: 'A.', labels: ['l'] });
    for (let i = 0; i < 500; i++) family.cell('x'.repeat(1000) + i).value = i;
    registry.add(family);
    const pieces = [...registry.pieces()];
    expect(pieces.length).toBeGreaterThan(5);
    for (const piece of pieces) {
      expect(piece.endsWith('\n')).toBe(true);
      expect(piece.length).toBeLessThan(70_000);
    }
    expect(pieces.join('')).toBe(registry.render());
  });
});
