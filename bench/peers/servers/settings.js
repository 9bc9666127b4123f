/** What a peer's server program is told by the harness, through its environment. */

function number(name) {
  const value = Number(process.env[name]);
  if (!Number.isInteger(value) || value <= 0) throw new Error(`${name} must be a positive integer`);
  return value;
}

export const port = number('PEER_PORT');
export const originPort = number('PEER_ORIGIN_PORT');
export const origin = `http://127.0.0.1:${originPort}`;
/** PEM files; undefined without TLS. */
export const certificateFile = process.env.PEER_CERTIFICATE;
export const keyFile = process.env.PEER_KEY;
/** Upstream connections that may be open at once. */
export const upstreamConnections = number('PEER_UPSTREAM_CONNECTIONS');
/** Idle client connections must outlive the idle-connections scenario, whose peers all get the same. */
export const keepAliveMs = 600_000;
