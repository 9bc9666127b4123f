/** haproxy as a peer: HTTP mode, one thread, kept-alive connections on both sides. */
import { versionOf } from '../measure/machine.ts';
import type { Launch, Peer, PeerSetup } from './peer.ts';
import { EVERY_PROTOCOL, routePrefixes } from './peer.ts';

function configuration(setup: PeerSetup, turn: number): string {
  const matched =
    setup.routes === 1 ? 'default_backend origin' : `use_backend %[path,map_beg(${setup.directory}/routes.map)]`;
  const { certificate, protocol } = setup;
  const alpn = protocol === 'h2' ? 'h2,http/1.1' : 'http/1.1';
  const secure = certificate === null ? '' : ` ssl crt ${certificate.both} alpn ${alpn} ssl-min-ver TLSv1.3`;
  return `global
  nbthread 1
  maxconn ${setup.clientConnections + 512}
  no strict-limits
  stats socket ${setup.directory}/stats.sock level admin expose-fd listeners

defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  timeout tunnel 600s
  option http-keep-alive
  http-reuse always

frontend public
  bind 127.0.0.1:${setup.port} backlog 4096${secure}
  option forwardfor
  unique-id-format %[uuid]
  unique-id-header X-Request-ID
  http-request set-header X-Forwarded-Proto ${certificate === null ? 'http' : 'https'}
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  http-request return status 204 if { path /turn-${turn} }
  ${matched}

backend origin
  server origin 127.0.0.1:${setup.originPort} pool-max-conn ${setup.upstreamConnections}
`;
}

export const haproxy: Peer = {
  name: 'haproxy',
  note: 'one thread, forwarded headers and request id; no access log (it can only write one to a syslog)',
  features: ['routes', 'reload'],
  protocols: EVERY_PROTOCOL,
  version: () => versionOf(['haproxy', '-v'], /version (\S+)/),
  launch(setup: PeerSetup): Launch {
    const map = routePrefixes(setup)
      .map((prefix) => `${prefix} origin\n`)
      .join('');
    const files = (turn: number) => ({ 'haproxy.cfg': configuration(setup, turn), 'routes.map': map });
    return {
      command: ['haproxy', '-W', '-f', `${setup.directory}/haproxy.cfg`],
      files: files(0),
      reload: { signal: 'SIGUSR2', files },
    };
  },
};
