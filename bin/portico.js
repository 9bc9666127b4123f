#!/usr/bin/env node
/** The command `portico`. */
import { headStart } from '../dist/program/head-start.js';

const args = process.argv.slice(2);
headStart(args);
// What this imports is most of the package: by now the thread has begun.
const { main } = await import('../dist/program/main.js');

process.exitCode = await main(args);
