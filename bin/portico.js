#!/usr/bin/env node
/** The command `portico`. */
import { main } from '../dist/cli/main.js';

process.exitCode = await main(process.argv.slice(2));
