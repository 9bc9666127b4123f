/** Single routes of the configuration. */
import type { AdminResource } from '../route.ts';
import { namedItemRoutes } from './named-items.ts';

const TEAPOT = '{ "match": { "path": "/teapot" }, "respond": { "status": 418 } }';

export const routes: AdminResource = {
  name: 'Routes',
  summary: 'Single routes, as parts of the one configuration: what holds for `PUT /config` holds here.',
  routes: namedItemRoutes({
    list: 'routes',
    item: 'route',
    examples: {
      list: { path: '/routes', status: 200 },
      get: { path: '/routes/users', status: 200 },
      put: { path: '/routes/teapot', body: TEAPOT, status: 201 },
      patch: { path: '/routes/users', body: '{ "timeout": "5s" }', status: 200 },
      delete: { path: '/routes/teapot', status: 204, after: ['putRoute'] },
    },
  }),
};
