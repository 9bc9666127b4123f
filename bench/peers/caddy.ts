/** Caddy as a peer: reverse_proxy with a JSON access log to a file; it sets the forwarded headers by itself. */
import { versionOf } from '../measure/machine.ts';
import type { Launch, Peer, PeerSetup } from './peer.ts';

function configuration(setup: PeerSetup): string {
  return `{
  admin off
  auto_https off
  log {
    output file ${setup.directory}/error.log
    level ERROR
  }
}
http://:${setup.port} {
  bind 127.0.0.1
  log {
    output file ${setup.directory}/access.log {
      roll_disabled
    }
    format json
  }
  reverse_proxy 127.0.0.1:${setup.originPort} {
    header_up X-Request-ID {http.request.uuid}
    transport http {
      keepalive 600s
      keepalive_idle_conns ${setup.upstreamConnections}
      keepalive_idle_conns_per_host ${setup.upstreamConnections}
    }
  }
}
`;
}

export const caddy: Peer = {
  name: 'caddy',
  note: 'one core, access log as JSON, forwarded headers and request id',
  features: [],
  protocols: ['http/1.1'],
  version: () => versionOf(['caddy', 'version'], /^v?(\d\S*)/m),
  launch(setup: PeerSetup): Launch {
    return {
      command: ['caddy', 'run', '--config', `${setup.directory}/Caddyfile`, '--adapter', 'caddyfile'],
      files: { Caddyfile: configuration(setup) },
      environment: { HOME: setup.directory, XDG_DATA_HOME: setup.directory, XDG_CONFIG_HOME: setup.directory },
      accessLog: 'access.log',
    };
  },
};
