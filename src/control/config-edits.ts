/** Edits of single routes, services and endpoints, as places and values of the one configuration. */

import { mergePatch } from '../base/merge-patch.ts';
import { endpointId } from '../upstream/endpoint.ts';
import type { Edit, Refusal } from './change-wish.ts';
import type { ConfigControl } from './config-control.ts';
import { itemValue, type NamedList } from './item-text.ts';

type Values = Record<string, unknown>;

function refused(code: Refusal['code'], reason: string): Refusal {
  return { kind: 'refused', code, reason };
}

const SINGULAR = { routes: 'route', services: 'service' } as const;

/** The items as written, in the order of the file. */
export function itemsOf(control: ConfigControl, list: NamedList): Values[] {
  const items = (control.values() as Partial<Record<NamedList, Values[] | null>>)[list] ?? [];
  // Of another kind only where a broken route is left out.
  return items.map((item) => (typeof item === 'object' && item !== null ? item : {}));
}

/** The item as written; where it can be, without a look at the others: there may be thousands. */
function itemAt(control: ConfigControl, list: NamedList, index: number): Values {
  const lines = control.linesOf(list);
  const read = lines === null ? null : itemValue(control.source.text, lines, index);
  if (read === null) return itemsOf(control, list)[index];
  return typeof read.value === 'object' && read.value !== null ? (read.value as Values) : {};
}

function indexOf(control: ConfigControl, list: NamedList, name: string): number {
  // What runs has the names that are written, but for references.
  if (control.linesOf(list) !== null && !name.includes('$')) {
    const index = (control.config[list] as readonly { readonly name: string }[]).findIndex(
      (item) => item.name === name,
    );
    if (index < 0 || itemAt(control, list, index).name === name) return index;
  }
  return itemsOf(control, list).findIndex((item) => item.name === name);
}

function countOf(control: ConfigControl, list: NamedList): number {
  return control.linesOf(list)?.starts.length ?? itemsOf(control, list).length;
}

/** The item of this name as it is written; undefined where there is none. */
export function itemNamed(control: ConfigControl, list: NamedList, name: string): Values | undefined {
  const index = indexOf(control, list, name);
  return index < 0 ? undefined : itemAt(control, list, index);
}

/** Replaces the item of this name, or adds it at the end; `onNew` hears which. */
export function putItem(
  control: ConfigControl,
  list: NamedList,
  name: string,
  value: Values,
  onNew: () => void,
): Edit | Refusal {
  if (value.name !== undefined && value.name !== name) {
    return refused('bad_request', `The name of the body is not that of the path: ${JSON.stringify(name)}.`);
  }
  const index = indexOf(control, list, name);
  if (index < 0) onNew();
  return { path: [list, index < 0 ? countOf(control, list) : index], value: { ...value, name } };
}

export function patchItem(control: ConfigControl, list: NamedList, name: string, patch: unknown): Edit | Refusal {
  const index = indexOf(control, list, name);
  if (index < 0) return refused('resource_not_found', `There is no ${SINGULAR[list]} ${JSON.stringify(name)}.`);
  return { path: [list, index], value: mergePatch(itemAt(control, list, index), patch) };
}

/** A service that routes use stays. */
export function deleteItem(control: ConfigControl, list: NamedList, name: string): Edit | Refusal {
  const index = indexOf(control, list, name);
  if (index < 0) return refused('resource_not_found', `There is no ${SINGULAR[list]} ${JSON.stringify(name)}.`);
  if (list === 'services') {
    const written = control.linesOf('routes') === null ? itemsOf(control, 'routes') : control.config.routes;
    const users = written.filter(({ service }) => service === name);
    if (users.length > 0) {
      const names = users.slice(0, 5).map((route) => JSON.stringify(route.name));
      const more = users.length > names.length ? ` and ${users.length - names.length} more` : '';
      return refused('conflict', `The service is used by: ${names.join(', ')}${more}.`);
    }
  }
  return { path: [list, index], value: undefined };
}

interface EndpointPlace {
  readonly service: number;
  /** Where it stands in the service's list; -1 when it does not. */
  readonly index: number;
  readonly count: number;
}

/** Where an endpoint stands. Ids are those of the running configuration: what is written may be a reference. */
function endpointPlace(control: ConfigControl, service: string, id: string): EndpointPlace | Refusal {
  const at = control.config.services.findIndex(({ name }) => name === service);
  if (at < 0) return refused('resource_not_found', `There is no service ${JSON.stringify(service)}.`);
  const { endpoints } = control.config.services[at];
  const index = endpoints.findIndex(({ url }) => endpointId(url) === id);
  return { service: at, index, count: endpoints.length };
}

/** True when the file has the endpoint; it may also be registered, which is not told here. */
export function hasEndpoint(control: ConfigControl, service: string, id: string): boolean {
  const place = endpointPlace(control, service, id);
  return !('kind' in place) && place.index >= 0;
}

export function putEndpoint(
  control: ConfigControl,
  service: string,
  id: string,
  value: Values,
  onNew: () => void,
): Edit | Refusal {
  const place = endpointPlace(control, service, id);
  if ('kind' in place) return place;
  if (place.index < 0) onNew();
  const index = place.index < 0 ? place.count : place.index;
  return { path: ['services', place.service, 'endpoints', index], value };
}

export function patchEndpoint(control: ConfigControl, service: string, id: string, patch: unknown): Edit | Refusal {
  const place = endpointPlace(control, service, id);
  if ('kind' in place) return place;
  if (place.index < 0) return noEndpoint(service, id);
  const written = (itemAt(control, 'services', place.service).endpoints as unknown[] | undefined)?.[place.index];
  const value = typeof written === 'string' ? { url: written } : ((written ?? {}) as Values);
  return { path: ['services', place.service, 'endpoints', place.index], value: mergePatch(value, patch) };
}

export function deleteEndpoint(control: ConfigControl, service: string, id: string): Edit | Refusal {
  const place = endpointPlace(control, service, id);
  if ('kind' in place) return place;
  if (place.index < 0) return noEndpoint(service, id);
  return { path: ['services', place.service, 'endpoints', place.index], value: undefined };
}

export function noEndpoint(service: string, id: string): Refusal {
  return refused('resource_not_found', `The service ${JSON.stringify(service)} has no endpoint ${JSON.stringify(id)}.`);
}
