/** The schemas of TLS on either side: what a listener shows its clients, and what a service is asked for. */
import { z } from 'zod';
import { hostNameProblem } from '../base/address.ts';
import { duration, refuse } from './scalar-schema.ts';

const fileSchema = z.string().min(1, { error: 'must be the path of a file' });
const versionSchema = z.enum(['TLSv1.2', 'TLSv1.3']);

const certificateSchema = z.strictObject({
  certFile: fileSchema.describe('PEM file with the certificate and, after it, those between it and the root'),
  keyFile: fileSchema.describe('PEM file with the private key, without a passphrase'),
});

export const listenerTlsSchema = z.strictObject({
  certificates: z
    .array(certificateSchema)
    .min(1)
    .describe(
      'Certificates, of which the client’s SNI chooses one by the names inside, an exact name before a wildcard; the first is for everybody else',
    ),
  minVersion: versionSchema.default('TLSv1.2').describe('Oldest version of TLS that is spoken'),
  clientCertificates: z
    .strictObject({
      caFile: fileSchema.describe('PEM file with the authorities whose clients are believed'),
      verify: z
        .enum(['required', 'optional'])
        .default('required')
        .describe('Whether a client without a certificate is refused; a wrong certificate always is'),
      forward: z
        .boolean()
        .default(false)
        .describe(
          'Whether the upstream is told who the client is, by `X-Client-Cert-Subject`, `-SAN` and `-Fingerprint`; copies that clients send are removed either way',
        ),
    })
    .optional()
    .describe('Mutual TLS: clients show who they are'),
  handshakeTimeout: duration(1).prefault('10s').describe('Time for the handshake; then the connection is cut'),
  sessionTimeout: duration(1000)
    .prefault('1h')
    .describe(
      'How long a client may resume a session, at any worker, without a full handshake; 12 hours at most, since keys of tickets are replaced',
    ),
});

const serverNameSchema = z.string().transform((text, context): string => {
  const problem = hostNameProblem(text);
  return problem === null ? text.toLowerCase() : refuse(context, problem);
});

export const serviceTlsSchema = z.strictObject({
  caFile: fileSchema
    .optional()
    .describe(
      'PEM file with the authorities that the service’s certificate may come from; by default those of Node.js',
    ),
  serverName: serverNameSchema
    .optional()
    .describe('Name asked for by SNI and looked for in the certificate; by default the endpoint’s host'),
  certFile: fileSchema.optional().describe('PEM file with the certificate that the gateway shows'),
  keyFile: fileSchema.optional().describe('PEM file with its private key'),
  minVersion: versionSchema.default('TLSv1.2').describe('Oldest version of TLS that is spoken'),
  verify: z
    .boolean()
    .default(true)
    .describe('`false` takes whatever certificate the service shows, which protects from nobody in between'),
});
