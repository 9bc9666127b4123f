/** The schemas of a set of policies, built once: building one costs more than a small file takes to read. */
import type { z } from 'zod';
import type { PolicySchemas } from './policy-schemas.ts';
import { createGatewaySchema, createPartialSchema, type GatewaySchema } from './schema.ts';

/** What a file is validated with. */
export interface BuiltSchemas {
  /** Of a whole file. */
  readonly whole: GatewaySchema;
  /** Of what is left of a faulty file. Built when the first fault is seen. */
  partial(): z.ZodType<z.output<GatewaySchema>>;
}

/** By identity: a process has one set of policies, and schemas go with the set that they were built from. */
const built = new WeakMap<PolicySchemas, BuiltSchemas>();

/** The schemas for a set of policies, the same ones for the same set. */
export function schemasFor(policies: PolicySchemas): BuiltSchemas {
  let schemas = built.get(policies);
  if (schemas === undefined) {
    let partial: z.ZodType<z.output<GatewaySchema>> | undefined;
    schemas = {
      whole: createGatewaySchema(policies),
      partial() {
        partial ??= createPartialSchema(policies);
        return partial;
      },
    };
    built.set(policies, schemas);
  }
  return schemas;
}
