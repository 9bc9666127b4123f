/** `requestHeaders`: changes the headers that the upstream receives. */
import { compileOperations, describeOperations, headerOperationsSchema } from '../../pipeline/header-operations.ts';
import { definePolicy } from '../../pipeline/policy.ts';

export const requestHeaders = definePolicy({
  name: 'requestHeaders',
  phase: 'shape',
  schema: headerOperationsSchema.describe('Changes the headers that the upstream receives.'),
  create(options) {
    const edits = compileOperations(options);
    return {
      effect: describeOperations(options),
      onRequest(exchange) {
        exchange.requestEdits.append(edits);
        return undefined;
      },
    };
  },
});
