/** What the tests of this room share: small files, and two policies to use in them. */
import { z } from 'zod';
import { parseConfigText } from './load.ts';
import type { PolicySchemas } from './policy-schemas.ts';

const stamp = z.strictObject({
  header: z.string().describe('Header'),
  count: z.number().default(1),
  mode: z.enum(['enforce', 'shadow']).default('enforce'),
});
export const policies: PolicySchemas = {
  names: () => ['stamp', 'trace'],
  schemaOf: (name) => (name === 'stamp' ? stamp : name === 'trace' ? z.strictObject({}) : undefined),
};

export const head = 'version: 1\nlisteners: [{ name: public, address: "127.0.0.1:0" }]\n';
const service = 'services: [{ name: users, endpoints: [http://127.0.0.1:9001, http://127.0.0.1:9002] }]\n';

/** A file of one route, whose keys are given as a flow map. */
export function withRoute(route: string): string {
  return `${head}${service}routes:\n  - { name: r, ${route} }\n`;
}

/** `LINE:COLUMN SEVERITY CODE PATH` of every finding. */
export function findingsOf(text: string, env: Record<string, string> = {}): string[] {
  return parseConfigText(text, { policies, env }).findings.map(
    ({ line, column, severity, code, path }) => `${line}:${column} ${severity} ${code} ${path}`,
  );
}
