/** Checks of the public keys that policies name by file: whether what the files hold can be used. */
import { parsePublicKey } from '../base/public-key.ts';
import type { Findings } from './findings.ts';
import { contentAt, POLICY_FILE, policyFilePaths, type TlsContents } from './tls-files.ts';

/** Of files that could not be read nothing is said here. */
export function checkPublicKeys(root: unknown, directory: string, contents: TlsContents, findings: Findings): void {
  for (const owner of policyFilePaths(root)) {
    const path = [...owner, POLICY_FILE];
    const text = contentAt(root, path, directory, contents);
    if (text === null) continue;
    try {
      parsePublicKey(text);
    } catch (error) {
      const { message } = error as Error;
      findings.addReport({ severity: 'error', code: 'invalid_public_key', path, message });
    }
  }
}
