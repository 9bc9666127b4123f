/** Findings as lines. */
import { expect, test } from 'vitest';
import { type Finding, textOfFindings } from './finding.ts';

const finding: Finding = {
  file: 'a.yaml',
  line: 2,
  column: 1,
  severity: 'error',
  code: 'unknown_key',
  message: '`listners` may not stand here',
  path: 'listners',
};

test.each([
  [[], ''],
  [[finding], 'a.yaml:2:1: error unknown_key: `listners` may not stand here\n'],
  [
    [
      { ...finding, suggestion: 'listeners' },
      { ...finding, line: 3, severity: 'warning' as const },
    ],
    'a.yaml:2:1: error unknown_key: `listners` may not stand here; did you mean "listeners"?\n' +
      'a.yaml:3:1: warning unknown_key: `listners` may not stand here\n',
  ],
])('findings are one line each (%#)', (findings, text) => {
  expect(textOfFindings(findings)).toBe(text);
});
