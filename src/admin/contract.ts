/** What the admin listener offers: every resource with its routes. One line here adds a resource; its file holds the rest. */
import { probes } from './resources/probes.ts';
import { state } from './resources/state.ts';
import type { AdminResource, AdminRoute } from './route.ts';

/** In the order of the reference. */
export const ADMIN_RESOURCES: readonly AdminResource[] = [probes, state];

export const ADMIN_ROUTES: readonly AdminRoute[] = ADMIN_RESOURCES.flatMap(({ routes }) => routes);
