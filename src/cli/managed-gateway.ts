/** A gateway whose configuration is managed: read from a file, changed by it and by the admin API, and kept. */
import { systemClock, systemTimers } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Finding } from '../config/finding.ts';
import { ConfigControl } from '../control/config-control.ts';
import { EndpointRegistry } from '../control/endpoint-registry.ts';
import { loadApart } from '../gateway/loader/config-loader.ts';
import { policySchemas } from './config-file.ts';
import { type ServeOptions, type Server, serve } from './serve.ts';
import type { Inherited } from './successor.ts';

export interface ManagedOptions extends Pick<ServeOptions, 'clock' | 'sharing' | 'drain' | 'upgrade'> {
  readonly file: string;
  /** Where relative names are looked for. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly bootLastGood?: boolean;
  /** In place of what the file says. */
  readonly stateDir?: string | undefined;
  /** Hears which files the newest load read. */
  readonly onFiles?: (files: readonly string[]) => void;
  /** Hears which certificates, keys and authorities what runs is made of. */
  readonly onTlsFiles?: (files: readonly string[]) => void;
  /** Waited for only when the configuration is sound. */
  readonly inherit?: () => Promise<Inherited>;
}

export interface ManagedGateway {
  readonly server: Server;
  readonly control: ConfigControl;
  readonly registry: EndpointRegistry;
}

/** Answers what is wrong with the configuration when none can run; rejects with `OperatorError` when it cannot start. */
export async function startManaged(
  options: ManagedOptions,
): Promise<ManagedGateway | { readonly findings: readonly Finding[] }> {
  const {
    file,
    directory,
    env,
    logger,
    onFiles,
    onTlsFiles,
    bootLastGood = false,
    stateDir,
    inherit,
    clock = systemClock,
    sharing,
    drain,
    upgrade,
  } = options;
  const control = new ConfigControl({
    file,
    directory,
    load: { name: file, policies: policySchemas, env },
    loader: loadApart,
    clock,
    logger,
    ...(onFiles === undefined ? {} : { onFiles }),
    ...(onTlsFiles === undefined ? {} : { onTlsFiles }),
  });
  const { config, findings } = await control.open({ bootLastGood, stateDir });
  if (config === null) return { findings };
  logger.level = config.logging.level;
  const legacy = await inherit?.();
  const registry = new EndpointRegistry(
    { clock, timers: systemTimers, logger, refresh: () => control.refresh() },
    legacy?.leases,
  );
  control.setOverlay((written) => registry.overlay(written));
  let server: Server;
  try {
    server = await serve(registry.overlay(config), logger, {
      control,
      registry,
      keyPlace: { directory, stateDir },
      clock,
      ...(legacy === undefined ? {} : { inherited: legacy.inheritance }),
      ...(legacy?.secret === undefined ? {} : { secret: legacy.secret }),
      ...(legacy?.tickets === undefined ? {} : { tickets: legacy.tickets }),
      ...(sharing === undefined ? {} : { sharing }),
      ...(drain === undefined ? {} : { drain }),
      ...(upgrade === undefined ? {} : { upgrade }),
    });
  } catch (error) {
    throw new OperatorError(`could not start: ${(error as Error).message}`);
  }
  await control.attach(server);
  return { server, control, registry };
}
