/** Every scenario, in the order in which they run. */
import { halfLoad } from './half-load.ts';
import { idleConnections, idleWebSockets } from './idle-connections.ts';
import { largeDownload, largeUpload } from './large-body.ts';
import { manyRoutesScenario } from './many-routes.ts';
import { createPlain, h2, tls } from './plain.ts';
import { policies } from './policies.ts';
import { reload } from './reload.ts';
import { routes } from './routes.ts';
import type { Scenario } from './scenario.ts';
import { websocket } from './websocket.ts';
import { workers } from './workers.ts';

export const allScenarios: readonly Scenario[] = [
  createPlain('plain', 64, 128),
  createPlain('plain-512', 512, 1024),
  tls,
  h2,
  websocket,
  policies,
  largeDownload,
  largeUpload,
  halfLoad,
  idleConnections,
  idleWebSockets,
  routes,
  reload,
  manyRoutesScenario,
  workers,
];
