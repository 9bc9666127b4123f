/** Every peer that the benchmark knows, in the order of the tables. */
import { caddy } from './caddy.ts';
import { haproxy } from './haproxy.ts';
import { nginx, nginxBare } from './nginx.ts';
import { nodePeers } from './node-peers.ts';
import type { Peer } from './peer.ts';
import { portico, porticoPipelined } from './portico.ts';

export const allPeers: readonly Peer[] = [portico, porticoPipelined, nginx, nginxBare, haproxy, caddy, ...nodePeers];

/** Ratios are told against this one. */
export const BASELINE = nginx.name;
