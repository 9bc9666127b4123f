/** Which keys a schema allows at a place: for suggestions when a key is unknown. */
import type { z } from 'zod';
import type { ValuePath } from './source-tree.ts';

/** The keys that may stand in the map at `path`, empty where any key may. */
export function knownKeys(schema: z.ZodType, path: ValuePath): string[] {
  let schemas = open(schema);
  for (const step of path) schemas = schemas.flatMap((outer) => stepInto(outer, step)).flatMap(open);
  return [...new Set(schemas.flatMap((found) => Object.keys(shapeOf(found) ?? {})))];
}

type Definition = {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  out?: z.ZodType;
  getter?: () => z.ZodType;
  options?: z.ZodType[];
  left?: z.ZodType;
  right?: z.ZodType;
  shape?: Record<string, z.ZodType>;
  element?: z.ZodType;
  valueType?: z.ZodType;
  items?: z.ZodType[];
};

function definitionOf(schema: z.ZodType): Definition {
  return schema._zod.def as unknown as Definition;
}

function shapeOf(schema: z.ZodType): Record<string, z.ZodType> | undefined {
  return definitionOf(schema).shape;
}

/** Takes off everything that stands around the schemas of the written value: defaults, transforms, unions. */
function open(schema: z.ZodType): z.ZodType[] {
  const definition = definitionOf(schema);
  switch (definition.type) {
    case 'pipe':
      // A preprocessing step comes first and says nothing about keys.
      return definitionOf(definition.in!).type === 'transform' ? open(definition.out!) : open(definition.in!);
    case 'lazy':
      return open(definition.getter!());
    case 'union':
      return definition.options!.flatMap(open);
    case 'intersection':
      return [...open(definition.left!), ...open(definition.right!)];
    default:
      return definition.innerType === undefined ? [schema] : open(definition.innerType);
  }
}

function stepInto(schema: z.ZodType, step: string | number): z.ZodType[] {
  const { shape, element, valueType, items } = definitionOf(schema);
  const found = typeof step === 'number' ? (element ?? items?.[step]) : (shape?.[step] ?? valueType);
  return found === undefined ? [] : [found];
}
