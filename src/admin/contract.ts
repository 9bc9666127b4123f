/** What the admin listener offers: every resource with its routes. One line here adds a resource; its file holds the rest. */

import { configuration } from './resources/configuration.ts';
import { createDescription } from './resources/description.ts';
import { events } from './resources/events.ts';
import { explain } from './resources/explain.ts';
import { keys } from './resources/keys.ts';
import { probes } from './resources/probes.ts';
import { processes } from './resources/process.ts';
import { registration } from './resources/registration.ts';
import { routes } from './resources/routes.ts';
import { services } from './resources/services.ts';
import { state } from './resources/state.ts';
import type { AdminResource, AdminRoute } from './route.ts';

/** In the order of the reference. */
export const ADMIN_RESOURCES: readonly AdminResource[] = [
  probes,
  state,
  explain,
  events,
  configuration,
  routes,
  services,
  registration,
  keys,
  processes,
  createDescription(() => ADMIN_RESOURCES),
];

export const ADMIN_ROUTES: readonly AdminRoute[] = ADMIN_RESOURCES.flatMap(({ routes }) => routes);
