/** Installs the Node peers' packages when they are missing; what cannot be installed is left absent. */
import type { Processes } from '../measure/processes.ts';
import { missingPackages } from './node-peers.ts';

// They are optional dependencies, so npm leaves out what it cannot install; no lock file, since the versions are exact;
// no install scripts, since none of the peers needs one.
const INSTALL = [
  'npm',
  'install',
  '--no-package-lock',
  '--no-audit',
  '--no-fund',
  '--ignore-scripts',
  '--loglevel=error',
];

/** Returns the packages (name and version) that are missing nevertheless. */
export async function installNodePeers(processes: Processes): Promise<string[]> {
  if (missingPackages().length === 0) return [];
  try {
    await processes.run(INSTALL, { cwd: import.meta.dirname });
  } catch (error) {
    return [...missingPackages(), String(error)];
  }
  return missingPackages();
}
