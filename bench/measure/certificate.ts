/** The certificate that every proxy of a run shows: ECDSA on P-256, which costs a handshake least. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority } from '../../test/support/certificates.ts';
import type { Bench } from '../bench.ts';
import type { CertificateFiles } from '../peers/peer.ts';

/** Made anew for each scenario, in the directory of the run. */
export function writeCertificate(bench: Bench): CertificateFiles {
  const { cert, key } = createAuthority().issue({ names: ['localhost', '127.0.0.1'] });
  const at = join(bench.directory, `certificate-${bench.nextId()}`);
  const files = { cert: `${at}.crt`, key: `${at}.key`, both: `${at}.pem` };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  writeFileSync(files.both, cert + key);
  return files;
}
