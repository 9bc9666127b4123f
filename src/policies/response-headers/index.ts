/** `responseHeaders`: changes the headers that the client receives, whoever made the answer. */
import { compileOperations, describeOperations, headerOperationsSchema } from '../../pipeline/header-operations.ts';
import { definePolicy } from '../../pipeline/policy.ts';

export const responseHeaders = definePolicy({
  name: 'responseHeaders',
  phase: 'answer',
  schema: headerOperationsSchema.describe('Changes the headers that the client receives, whoever made the answer.'),
  create(options) {
    const edits = compileOperations(options);
    return {
      effect: describeOperations(options),
      onResponse(exchange) {
        exchange.responseEdits.append(edits);
        return undefined;
      },
    };
  },
});
