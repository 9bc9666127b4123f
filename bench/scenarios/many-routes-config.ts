/** A configuration of many routes as a company's gateway has them: several kinds of paths, methods, rewrites, policies. */

export interface ManyRoutes {
  readonly routes: number;
  readonly services: number;
  readonly workers: number;
  readonly port: number;
  readonly adminPort: number;
  /** Where every service sends. */
  readonly originPort: number;
  /** What differs between two configurations: a route of this number, and one value in every hundredth route. */
  readonly turn: number;
}

const TEAMS = ['orders', 'billing', 'catalog', 'search', 'accounts', 'shipping', 'reviews', 'media'];

/** The path under which route `index` is found: the first of its kind is a prefix. */
function lines(index: number, services: number, turn: number): string {
  const team = TEAMS[index % TEAMS.length];
  const service = `${TEAMS[(index % services) % TEAMS.length]}-${index % services}`;
  const timeout = index % 100 === 0 ? 1000 + (turn % 1000) : 5000;
  const head = `  - name: ${team}-route-${index}\n`;
  const tail = `    service: ${service}\n    timeout: ${timeout}ms\n`;
  switch (index % 6) {
    case 0:
      return `${head}    match:\n      pathPrefix: /api/v1/${team}/r${index}\n${tail}    rewrite:\n      stripPrefix: /api/v1\n`;
    case 1:
      return `${head}    match:\n      path: "/api/v1/${team}/r${index}/items/{id}"\n      methods: [GET, PUT]\n${tail}    policies:\n      - requestHeaders:\n          set:\n            x-team: ${team}\n            x-route: "${index}"\n`;
    case 2:
      return `${head}    match:\n      hosts: [${team}.example.com]\n      path: /r${index}/status\n${tail}`;
    case 3:
      return `${head}    match: { pathPrefix: /internal/${team}/r${index}, headers: { x-tenant: t${index % 50} } }\n${tail}    policies:\n      - requestHeaders:\n          remove: [x-debug]\n          set: { x-forwarded-team: ${team} }\n`;
    case 4:
      return `${head}    # kept for clients of the old interface\n    match:\n      path: '/v0/${team}/r${index}/{account}/{item}'\n      methods: [POST]\n${tail}    retry:\n      attempts: 2\n      on: [connect-failure]\n`;
    default:
      return `${head}    match:\n      pathPrefix: /static/${team}/r${index}\n      methods:\n        - GET\n${tail}    policies:\n      - responseHeaders:\n          set:\n            cache-control: public, max-age=${60 * (1 + (index % 10))}\n`;
  }
}

export function manyRoutes(setup: ManyRoutes): string {
  const services = Array.from({ length: setup.services }, (_, index) => {
    // Requests go to the first service only: the second address of the others stands for a second machine.
    const other =
      index === 0 ? '' : `      - { url: "http://127.0.0.2:${setup.originPort}", weight: ${1 + (index % 3)} }\n`;
    return `  - name: ${TEAMS[index % TEAMS.length]}-${index}\n    endpoints:\n      - http://127.0.0.1:${setup.originPort}\n${other}    timeouts: { connect: 500ms, response: 10s }\n`;
  });
  const routes = Array.from({ length: setup.routes }, (_, index) => lines(index, setup.services, setup.turn));
  return `# ${setup.routes} routes
version: 1
workers: ${setup.workers}
listeners:
  - name: public
    address: 127.0.0.1:${setup.port}
admin:
  address: 127.0.0.1:${setup.adminPort}
shutdown: { drain: 10ms, timeout: 2s }
logging:
  level: info
  access: false
services:
${services.join('')}routes:
  - name: turn
    match: { path: /turn-${setup.turn} }
    respond: { status: 204 }
  - name: plain
    match: { path: /users/42 }
    service: ${TEAMS[0]}-0
${routes.join('')}`;
}
