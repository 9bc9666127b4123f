/** The schema of an option that holds an expression. */
import { z } from 'zod';
import { compileExpression, ExpressionError, type ExpressionUse } from './expression.ts';

/** An expression in CEL; what is wrong with it is a finding at its place. It stays text: configurations are handed on as data. */
export function expressionSchema(use: ExpressionUse) {
  return z
    .string()
    .min(1)
    .check((context) => {
      try {
        compileExpression(context.value, use);
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
        context.issues.push({
          code: 'custom',
          input: context.value,
          message: `cannot be used: ${error.message}`,
          params: { finding: 'invalid_expression' },
        });
      }
    })
    .meta({ kind: 'CEL expression' });
}
