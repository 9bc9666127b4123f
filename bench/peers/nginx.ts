/** nginx as a peer: one worker, kept-alive upstream connections, and the bookkeeping that a gateway does. */
import { versionOf } from '../measure/machine.ts';
import type { Launch, Peer, PeerSetup } from './peer.ts';
import { EVERY_PROTOCOL, routePrefixes } from './peer.ts';

const LOG_FORMAT = `log_format json escape=json '{"time":"$time_iso8601","request_id":"$request_id","client":"$remote_addr",'
    '"method":"$request_method","uri":"$uri","status":$status,"bytes":$body_bytes_sent,"duration":$request_time,'
    '"upstream":"$upstream_addr","upstream_status":"$upstream_status","upstream_duration":"$upstream_response_time"}';`;

const FORWARDED_HEADERS = `proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Request-ID $request_id;
    add_header X-Request-ID $request_id;`;

const UPGRADE_MAP = `
  map $http_upgrade $connection_field {
    default upgrade;
    '' '';
  }`;

const UPGRADE_HEADERS = `proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_field;
    proxy_read_timeout 600s;
    proxy_send_timeout 600s;`;

/** Lines that every nginx of the benchmark needs to run without paths that belong to the system. */
export function nginxFrame(directory: string, connections: number, http: string): string {
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `${user}worker_processes 1;
worker_rlimit_nofile ${connections * 2 + 1024};
daemon off;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log error;
events { worker_connections ${connections * 2 + 512}; }
http {
  ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
${http}
}
`;
}

/** TLS as everybody of the comparison has it: 1.3 only, and sessions that can be gone on with. */
function secureLines({ certificate }: PeerSetup): string {
  if (certificate === null) return '';
  return `
    ssl_certificate ${certificate.cert};
    ssl_certificate_key ${certificate.key};
    ssl_protocols TLSv1.3;
    ssl_session_cache shared:sessions:4m;`;
}

const LISTEN_FLAGS = { 'http/1.1': '', tls: ' ssl', h2: ' ssl http2', websocket: '' };

function configuration(setup: PeerSetup, bare: boolean, turn: number): string {
  const prefixes = routePrefixes(setup);
  const paths = prefixes.length === 0 ? ['/'] : prefixes;
  const isWebSocket = setup.protocol === 'websocket';
  const log = bare
    ? 'access_log off;'
    : `${LOG_FORMAT}\n  access_log ${setup.directory}/access.log json buffer=64k flush=1s;`;
  return nginxFrame(
    setup.directory,
    setup.clientConnections,
    `  ${log}${isWebSocket ? UPGRADE_MAP : ''}
  upstream origin {
    server 127.0.0.1:${setup.originPort};
    keepalive ${setup.upstreamConnections};
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
  server {
    listen 127.0.0.1:${setup.port}${LISTEN_FLAGS[setup.protocol]} backlog=4096;${secureLines(setup)}
    proxy_http_version 1.1;
    ${isWebSocket ? UPGRADE_HEADERS : 'proxy_set_header Connection "";'}
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    ${bare ? '' : FORWARDED_HEADERS}
    ${paths.map((path) => `location ${path} { proxy_pass http://origin; }`).join('\n    ')}
    location /turn-${turn} { return 204; }
  }`,
  );
}

function createNginx(name: string, note: string, bare: boolean): Peer {
  return {
    name,
    note,
    features: bare ? [] : ['routes', 'reload'],
    protocols: EVERY_PROTOCOL,
    version: () => versionOf(['nginx', '-v'], /nginx\/(\S+)/),
    launch(setup: PeerSetup): Launch {
      const files = (turn: number) => ({ 'nginx.conf': configuration(setup, bare, turn) });
      return {
        command: ['nginx', '-p', setup.directory, '-c', `${setup.directory}/nginx.conf`],
        files: files(0),
        accessLog: bare ? undefined : 'access.log',
        reload: { signal: 'SIGHUP', files },
      };
    },
  };
}

export const nginx = createNginx('nginx', 'one worker, access log as JSON, forwarded headers and request id', false);
export const nginxBare = createNginx(
  'nginx-bare',
  'one worker, no log, no headers added: what nginx costs at the least',
  true,
);
