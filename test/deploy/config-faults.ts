/** What `portico check` would say of a configuration that is deployed, from its text. */
import { policySchemas } from '../../src/cli/config-file.ts';
import { parseConfigText } from '../../src/config/load.ts';
import type { GatewayConfig } from '../../src/config/model.ts';
import { lintRoutes } from '../../src/router/lint.ts';

/** `files` are those that `${file:...}` finds. Warnings are faults too: an example has none. */
export function checkedConfig(
  text: string,
  files: Readonly<Record<string, string>> = {},
): { config: GatewayConfig | null; faults: string[] } {
  const { config, findings } = parseConfigText(text, { policies: policySchemas, env: {}, files });
  const faults = findings.map(({ line, code, message }) => `config: line ${line}: ${code}: ${message}`);
  for (const { code, message } of lintRoutes(config?.routes ?? [])) faults.push(`config: ${code}: ${message}`);
  return { config, faults };
}
