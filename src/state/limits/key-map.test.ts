/** The map of many keys is a map. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KeyMap } from './key-map.ts';

it('is a map, also where it has become many, and where it is emptied', () => {
  const few = fc.array(fc.tuple(fc.string({ maxLength: 8 }), fc.boolean()), { maxLength: 60 });
  fc.assert(
    fc.property(few, fc.constantFrom(0, 4000, 6000), (steps, filling) => {
      const map = new KeyMap();
      const model = new Map<string, number>();
      const add = (key: string): void => {
        if (model.has(key)) return;
        model.set(key, model.size);
        map.add(key, model.size - 1);
      };
      for (let i = 0; i < filling; i++) add(`@10.0.${i >> 8}.${i & 255}`);
      for (const [key, adds] of steps) {
        if (adds) add(key);
        else if (model.delete(key)) map.delete(key);
        expect(map.get(key)).toBe(model.get(key));
      }
      expect(map.size).toBe(model.size);
      expect(map.values().sort((a, b) => a - b)).toEqual([...model.values()].sort((a, b) => a - b));
      for (const key of [...model.keys()]) {
        map.delete(key);
        expect(map.get(key)).toBeUndefined();
      }
      expect(map.size).toBe(0);
    }),
    { numRuns: 20 },
  );
});
